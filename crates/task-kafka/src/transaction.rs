//! The calls that make a transaction. All but the first block until the brokers answer, so each has
//! a thread.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::Producer as _,
};

use crate::{Producer, consumer::Consumer, error::cause, thread::on_thread};

/// Why a transaction was not committed.
pub(crate) enum Trouble {
    /// The producer can do no more: another one has its id, or the brokers forbid it.
    Fatal(anyhow::Error),
    /// It has to be aborted; the next one may do better.
    Passing(anyhow::Error),
}

impl Trouble {
    fn of(error: KafkaError, what: &'static str) -> Self {
        let is_fatal = match &error {
            KafkaError::Transaction(error) => error.is_fatal(),
            other => other.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal),
        };
        let error = cause(error).context(what);
        if is_fatal { Self::Fatal(error) } else { Self::Passing(error) }
    }
}

/// Begins one, which asks no broker.
pub(crate) fn begin(producer: &Producer) -> Result<(), Trouble> {
    let begun = producer.native().begin_transaction();
    begun.map_err(|error| Trouble::of(error, "failed to begin a transaction"))
}

/// Ends what an earlier producer of this id left open, and shuts it out.
pub(crate) async fn init(producer: &Producer, budget: Duration) -> anyhow::Result<()> {
    let producer = producer.clone();
    let made = on_thread("kafka-init", move || {
        persist(budget, |left| producer.native().init_transactions(left))
    });
    made.await?.map_err(cause).context("failed to prepare for transactions")
}

/// Commits the records of the open one with these offsets. Every record has to be reported before:
/// librdkafka would wait for them in steps of 100 ms.
pub(crate) async fn commit(
    producer: &Producer,
    consumer: &Arc<Consumer>,
    offsets: TopicPartitionList,
    budget: Duration,
) -> Result<(), Trouble> {
    let (producer, consumer) = (producer.clone(), Arc::clone(consumer));
    let committed = on_thread("kafka-commit", move || {
        let deadline = Instant::now() + budget;
        let group = consumer.native().group_metadata();
        let group = group.ok_or(KafkaError::Canceled).map_err(|error| (error, NO_GROUP))?;
        let send = |left| producer.native().send_offsets_to_transaction(&offsets, &group, left);
        persist(budget, send).map_err(|error| (error, NOT_SENT))?;
        let left = deadline.saturating_duration_since(Instant::now());
        persist(left, |left| producer.native().commit_transaction(left))
            .map_err(|error| (error, NOT_COMMITTED))
    });
    let committed = committed.await.map_err(Trouble::Passing)?;
    committed.map_err(|(error, what)| Trouble::of(error, what))
}

const NO_GROUP: &str = "the consumer is in no group";
const NOT_SENT: &str = "failed to send the offsets of a transaction";
const NOT_COMMITTED: &str = "failed to commit a transaction";

/// Aborts the open one; its records that are on the way are purged.
pub(crate) async fn abort(producer: &Producer, budget: Duration) -> anyhow::Result<()> {
    let producer = producer.clone();
    let aborted = on_thread("kafka-abort", move || {
        persist(budget, |left| producer.native().abort_transaction(left))
    });
    aborted.await?.map_err(cause).context("failed to abort a transaction")
}

/// Has those of these partitions that are still assigned read again from these offsets.
pub(crate) async fn rewind(
    consumer: &Arc<Consumer>,
    from: TopicPartitionList,
    budget: Duration,
) -> anyhow::Result<()> {
    let consumer = Arc::clone(consumer);
    let rewound = on_thread("kafka-seek", move || {
        let assigned = consumer.native().assignment()?;
        let mut still = TopicPartitionList::new();
        for place in from.elements() {
            if assigned.find_partition(place.topic(), place.partition()).is_some() {
                still.add_partition_offset(place.topic(), place.partition(), place.offset())?;
            }
        }
        if still.count() == 0 {
            return Ok(still);
        }
        consumer.native().seek_partitions(still, budget)
    });
    let rewound: KafkaResult<TopicPartitionList> = rewound.await?;
    let rewound = rewound.map_err(cause).context(NOT_REWOUND)?;
    let failed = rewound.elements().iter().filter(|place| place.error().is_err()).count();
    ensure!(failed == 0, "{NOT_REWOUND} in {failed} partitions");
    Ok(())
}

const NOT_REWOUND: &str = "failed to go back to what was not committed";

/// Calls again and again what says that it may be, until it succeeds, fails, or the budget is used
/// up.
fn persist(budget: Duration, call: impl Fn(Duration) -> KafkaResult<()>) -> KafkaResult<()> {
    let deadline = Instant::now() + budget;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match call(left) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {
                thread::sleep(left.min(Duration::from_millis(50)));
            }
            other => return other,
        }
    }
}
