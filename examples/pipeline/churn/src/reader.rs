//! The independent consumer: reads topics from the start, outside any group, and keeps the records.

use std::{
    collections::{HashMap, HashSet},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use crate::message;

/// How long reading one topic may take.
const TIMEOUT: Duration = Duration::from_secs(60);
const METADATA_TIMEOUT: Duration = Duration::from_secs(20);

/// One record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The number of the order, or `None` if the record is not an order of the feeder.
    pub(crate) number: Option<u32>,
    pub(crate) key: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When the producer made it, in milliseconds since 1970.
    pub(crate) timestamp_ms: i64,
}

/// What a reader sees of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Committed records.
    Committed,
    /// Aborted records and those of open transactions, too.
    Uncommitted,
}

/// Reads one topic continuously.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topic: &'static str,
    partitions: i32,
    ends: HashSet<i32>,
    pub(crate) seen: Vec<Seen>,
}

impl Reader {
    pub(crate) fn new(address: &str, topic: &'static str, isolation: Isolation) -> Result<Self> {
        let isolation = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("group.id", "churn-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", isolation)
            .create()
            .context("failed to create the reader")?;
        let count = partitions(&consumer, topic)?;
        let mut assigned = TopicPartitionList::new();
        for partition in 0..count {
            assigned.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assigned)?;
        Ok(Self { consumer, topic, partitions: count, ends: HashSet::new(), seen: Vec::new() })
    }

    /// Reads a topic from its start to its end.
    pub(crate) fn read_all(
        address: &str,
        topic: &'static str,
        isolation: Isolation,
    ) -> Result<Vec<Seen>> {
        let mut reader = Self::new(address, topic, isolation)?;
        reader.catch_up(Duration::from_millis(500))?;
        Ok(reader.seen)
    }

    /// Reads until the end of every partition was reached once and no record arrived for `silence`.
    pub(crate) fn catch_up(&mut self, silence: Duration) -> Result<()> {
        let start = Instant::now();
        let mut last = Instant::now();
        while self.ends.len() < self.partitions as usize || last.elapsed() < silence {
            ensure!(start.elapsed() < TIMEOUT, "`{}` could not be read in {TIMEOUT:?}", self.topic);
            if self.read(Duration::from_millis(50)) {
                last = Instant::now();
            }
        }
        Ok(())
    }

    /// Reads at most one record, and waits for it at most this long. Returns whether there was one.
    pub(crate) fn read(&mut self, wait: Duration) -> bool {
        match self.consumer.poll(wait) {
            Some(Ok(record)) => {
                let number = record.payload().and_then(number);
                let key = String::from_utf8_lossy(record.key().unwrap_or_default());
                self.seen.push(Seen {
                    number,
                    key: key.into_owned(),
                    partition: record.partition(),
                    offset: record.offset(),
                    timestamp_ms: record.timestamp().to_millis().unwrap_or_default(),
                });
                return true;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.ends.insert(partition);
            }
            // librdkafka recovers by itself from brokers that were unavailable.
            Some(Err(_)) | None => {}
        }
        false
    }
}

/// Checks that the brokers have kept the records of a topic from the start. It has to be one
/// without transactions, whose markers have offsets, too.
pub(crate) fn ensure_kept(topic: &str, seen: &[Seen]) -> Result<()> {
    let mut first = HashMap::new();
    for seen in seen {
        let first = first.entry(seen.partition).or_insert(seen.offset);
        ensure!(*first == 0, "the broker has dropped records of `{topic}`: feed fewer");
    }
    Ok(())
}

/// Returns the number of partitions, once the brokers know the topic: just after it was created
/// some may not.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<i32> {
    let start = Instant::now();
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_TIMEOUT)?;
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if count > 0 {
            return Ok(i32::try_from(count)?);
        }
        ensure!(start.elapsed() < METADATA_TIMEOUT, "there is no topic `{topic}`");
        sleep(Duration::from_millis(100));
    }
}

fn number(payload: &[u8]) -> Option<u32> {
    let order: serde_json::Value = serde_json::from_slice(payload).ok()?;
    message::number(order.get("id")?.as_str()?)
}
