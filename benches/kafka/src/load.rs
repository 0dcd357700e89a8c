//! The messages, and their transformation.

use std::time::Duration;

use anyhow::Result;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

pub(crate) const INPUT: &str = "in";
pub(crate) const OUTPUT: &str = "out";
pub(crate) const PARTITIONS: i32 = 8;
/// The number of messages. The mock cluster keeps at most 5 MB a partition.
pub(crate) const MESSAGES: u64 = 200_000;
const BYTES: usize = 100;

/// Fills the input topic.
pub(crate) fn produce(brokers: &str) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    for id in 0..MESSAGES {
        let (key, mut payload) = (format!("key-{}", id % 1000), format!("{id:>20}"));
        payload.push_str(&"x".repeat(BYTES - payload.len()));
        let mut record = BaseRecord::to(INPUT).key(&key).payload(&payload);
        while let Err((error, again)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(5));
            record = again;
        }
    }
    Ok(producer.flush(Duration::from_secs(60))?)
}

/// Transforms a payload, the same for both contestants.
pub(crate) fn transform(payload: &[u8]) -> Vec<u8> {
    payload.to_ascii_uppercase()
}
