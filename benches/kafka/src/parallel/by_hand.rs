//! The loop written by hand: a Tokio task for each message, as many as a semaphore allows, and the
//! offsets stored in the order in which the messages were received. It has no order of keys.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::sleep,
};

use super::{WORK, messages};
use crate::{lap::Lap, load};

const WINDOW: usize = 4096;

#[tokio::main(worker_threads = 2)]
pub(crate) async fn run(brokers: &str, group: &str, at_once: usize) -> Result<()> {
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
    let (queue, mut started) = mpsc::channel::<(i32, i64, JoinHandle<Result<()>>)>(WINDOW);
    let transforms = Arc::new(Semaphore::new(at_once));
    let receive = async {
        let mut lap = None;
        for _ in 0..messages(at_once) {
            let room = queue.reserve().await?;
            let transform = Arc::clone(&transforms).acquire_owned().await?;
            let message = consumer.recv().await?;
            lap.get_or_insert_with(Lap::start);
            let (partition, offset) = (message.partition(), message.offset());
            let (message, producer) = (message.detach(), producer.clone());
            let work = tokio::spawn(async move {
                sleep(WORK).await;
                let payload = load::transform(message.payload().context("a tombstone")?);
                let mut record = FutureRecord::to(load::OUTPUT).payload(&payload);
                record.key = message.key();
                let report = producer.send_result(record).map_err(|(error, _)| anyhow!(error))?;
                drop(transform);
                report.await?.map_err(|(error, _)| anyhow!(error))?;
                Ok(())
            });
            room.send((partition, offset, work));
        }
        lap.context("no messages")
    };
    let settle = async {
        for _ in 0..messages(at_once) {
            let (partition, offset, work) = started.recv().await.context("no more")?;
            work.await??;
            consumer.store_offset(load::INPUT, partition, offset)?;
        }
        Ok(())
    };
    let (lap, ()) = tokio::try_join!(receive, settle)?;
    lap.finish_with(messages(at_once));
    Ok(())
}
