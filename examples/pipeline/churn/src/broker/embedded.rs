//! librdkafka's mock cluster in this process, outside the process of the service. It can go down
//! and up, slow down and reject requests on demand. It keeps 5 MB a partition, and its group
//! rejects commits while members join.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::{DEAD, INPUT, OUTPUT, PARTITIONS};

const BROKERS: i32 = 3;

pub(crate) struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
    pub(super) address: String,
}

impl Embedded {
    pub(super) fn start() -> Result<Self> {
        let cluster = MockCluster::new(BROKERS).context("failed to start the embedded brokers")?;
        for topic in [INPUT, OUTPUT, DEAD] {
            let created = cluster.create_topic(topic, PARTITIONS, BROKERS);
            created.with_context(|| format!("failed to create topic `{topic}`"))?;
        }
        let address = cluster.bootstrap_servers();
        Ok(Self { cluster, address })
    }

    pub(super) fn take_down(&self) -> Result<()> {
        (1..=BROKERS).try_for_each(|broker| Ok(self.cluster.broker_down(broker)?))
    }

    pub(super) fn take_one_down(&self, which: i32) -> Result<()> {
        Ok(self.cluster.broker_down(1 + which.rem_euclid(BROKERS))?)
    }

    pub(super) fn bring_back(&self) -> Result<()> {
        self.cluster.clear_request_errors(RDKafkaApiKey::Produce);
        (1..=BROKERS).try_for_each(|broker| {
            self.cluster.broker_round_trip_time(broker, Duration::ZERO)?;
            Ok(self.cluster.broker_up(broker)?)
        })
    }

    pub(super) fn slow_down(&self, round_trip: Duration) -> Result<()> {
        let each = |broker| Ok(self.cluster.broker_round_trip_time(broker, round_trip)?);
        (1..=BROKERS).try_for_each(each)
    }

    pub(super) fn refuse_records(&self, requests: usize) {
        use RDKafkaRespErr::{
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as TIMED_OUT,
        };
        let errors: Vec<_> = [NOT_LEADER, TIMED_OUT, NOT_ENOUGH_REPLICAS]
            .into_iter()
            .cycle()
            .take(requests)
            .collect();
        self.cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("address", &self.address).finish_non_exhaustive()
    }
}
