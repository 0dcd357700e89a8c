//! The loop written by hand: receive, transform, produce, and store offsets in order after the
//! delivery reports, with a bounded window. It has no orderly stop, no metrics, and no handling of
//! rebalances.

use anyhow::{Context as _, Result, anyhow};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer, FutureRecord},
};
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

use crate::{lap::Lap, load};

const WINDOW: usize = 4096;

#[tokio::main(worker_threads = 2)]
pub(crate) async fn run(brokers: &str, group: &str) -> Result<()> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        .create()?;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "5")
        .create()?;
    consumer.subscribe(&[load::INPUT])?;
    let (queue, mut sent) = mpsc::channel::<(i32, i64, DeliveryFuture)>(WINDOW);
    let receive = async {
        let mut lap = None;
        for _ in 0..load::MESSAGES {
            let room = queue.reserve().await?;
            let message = consumer.recv().await?;
            lap.get_or_insert_with(Lap::start);
            let payload = load::transform(message.payload().context("a tombstone")?);
            let report = loop {
                let mut record = FutureRecord::to(load::OUTPUT).payload(&payload);
                record.key = message.key();
                match producer.send_result(record) {
                    Ok(report) => break report,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                        sleep(Duration::from_millis(5)).await;
                    }
                    Err((error, _)) => return Err(error.into()),
                }
            };
            room.send((message.partition(), message.offset(), report));
        }
        lap.context("no messages")
    };
    let settle = async {
        for _ in 0..load::MESSAGES {
            let (partition, offset, report) = sent.recv().await.context("no more")?;
            report.await?.map_err(|(error, _)| anyhow!(error))?;
            consumer.store_offset(load::INPUT, partition, offset)?;
        }
        Ok(())
    };
    let (lap, ()) = tokio::try_join!(receive, settle)?;
    lap.finish();
    Ok(())
}
