//! The settings as librdkafka takes them, checked.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::{Clients, KafkaSettings};
use crate::{KafkaError, error::Kind};

/// The settings that the delivery guarantee depends on, and those that have a setter, with all
/// their aliases. No additional setting may change them.
const RESERVED: [&str; 15] = [
    "auto.commit.interval.ms",
    "bootstrap.servers",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "message.timeout.ms",
    "metadata.broker.list",
    "offset.store.method",
    "session.timeout.ms",
    "statistics.interval.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// The most transforms at once: each has a clone of the transform and a Tokio task.
const MAX_CONCURRENCY: usize = 100_000;

impl KafkaSettings {
    /// Returns the configuration of the consumer.
    pub(crate) fn consumer(&self) -> Result<ClientConfig, KafkaError> {
        self.check_consumer()?;
        // With the new group protocol (KIP-848) the broker decides on the assignment strategy and
        // the session timeout, and librdkafka rejects both.
        let mut protocols = self
            .additional
            .iter()
            .filter(|it| it.name == "group.protocol" && it.clients != Clients::Producer);
        // The last one counts.
        let is_classic =
            protocols.next_back().is_none_or(|it| !it.value.eq_ignore_ascii_case("consumer"));
        let mut config = ClientConfig::new();
        config.set("auto.offset.reset", "earliest");
        if is_classic {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        self.add_common(&mut config, Clients::Consumer)?;
        if is_classic {
            config.set("session.timeout.ms", millis(self.session_timeout));
        }
        config
            .set("group.id", &self.group)
            // librdkafka commits the stored offsets when partitions are revoked; at all other times
            // the task does, which measures it. Only the task stores offsets, of settled messages.
            .set("enable.auto.commit", (self.transactional_id.is_none()).to_string())
            .set("auto.commit.interval.ms", "0")
            .set("enable.auto.offset.store", "false")
            // The source of the lag.
            .set("statistics.interval.ms", "1000");
        Ok(config)
    }

    /// Returns the configuration of the producer.
    pub(crate) fn producer(&self) -> Result<ClientConfig, KafkaError> {
        let mut config = ClientConfig::new();
        // The same partition for the same key as the Java client's.
        config.set("partitioner", "murmur2_random").set("linger.ms", "5");
        // Without it, librdkafka goes on with the records behind one that was refused: with one
        // key, they would overtake it when its message is read again. A transaction is aborted.
        config.set("enable.gapless.guarantee", self.transactional_id.is_none().to_string());
        self.add_common(&mut config, Clients::Producer)?;
        // To librdkafka, zero means no limit.
        not_zero("the message timeout", self.message_timeout.as_millis())?;
        config
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", millis(self.message_timeout));
        if let Some(id) = &self.transactional_id {
            if id.is_empty() {
                return Err(Kind::Invalid(String::from("the transactional id is empty")).into());
            }
            // The time to fill a transaction, with retries, to deliver its records, and to commit.
            // After it the brokers abort the transaction, since readers wait for its end.
            let fill = self.commit_interval + self.retry_timeout;
            let time = fill + self.message_timeout + Duration::from_secs(5);
            config.set("transactional.id", id).set("transaction.timeout.ms", millis(time));
        }
        Ok(config)
    }

    fn check_consumer(&self) -> Result<(), KafkaError> {
        let invalid = |why: String| Err(Kind::Invalid(why).into());
        if self.group.is_empty() {
            return invalid(String::from("the group has no name"));
        }
        if self.topics.is_empty() {
            return invalid(String::from("there is no topic to read"));
        }
        for topic in &self.topics {
            if topic.is_empty() || topic.starts_with('^') {
                return invalid(format!("`{topic}` is not a topic name"));
            }
            if self.dead_letter_topic.as_deref() == Some(topic) {
                return invalid(format!("dead letters would go to `{topic}`, which is read"));
            }
        }
        not_zero("the window", self.window as u128)?;
        not_zero("the window's limit in bytes", self.window_bytes as u128)?;
        not_zero("the concurrency", self.concurrency as u128)?;
        if self.concurrency > MAX_CONCURRENCY {
            let most = MAX_CONCURRENCY;
            return invalid(format!("a concurrency of {} is above {most}", self.concurrency));
        }
        not_zero("the batch", self.batch as u128)?;
        not_zero("the commit interval", self.commit_interval.as_millis())?;
        not_zero("the session timeout", self.session_timeout.as_millis())
    }

    /// Adds the brokers and the additional settings. The latter override what the caller has set
    /// before, and are overridden by what it sets after.
    fn add_common(&self, config: &mut ClientConfig, client: Clients) -> Result<(), KafkaError> {
        if self.brokers.trim().is_empty() {
            return Err(Kind::Invalid(String::from("there is no broker to connect to")).into());
        }
        for it in &self.additional {
            if RESERVED.contains(&it.name.as_str()) {
                return Err(Kind::Reserved(it.name.clone()).into());
            }
            if it.clients == Clients::Both || it.clients == client {
                config.set(&it.name, &it.value);
            }
        }
        config.set("bootstrap.servers", &self.brokers);
        Ok(())
    }
}

fn not_zero(what: &str, value: u128) -> Result<(), KafkaError> {
    if value == 0 { Err(Kind::Invalid(format!("{what} is zero")).into()) } else { Ok(()) }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn no_time_exceeds_the_32_bits_of_librdkafka() {
        let settings = KafkaSettings::new("localhost:9092")
            .group("test")
            .topics(["in"])
            .transactional_id("test-0")
            .commit_interval(Duration::MAX)
            .retry_timeout(Duration::MAX)
            .session_timeout(Duration::MAX)
            .message_timeout(Duration::MAX);
        let (consumer, producer) = (settings.consumer().unwrap(), settings.producer().unwrap());
        for value in [
            consumer.get("session.timeout.ms"),
            producer.get("message.timeout.ms"),
            producer.get("transaction.timeout.ms"),
        ] {
            assert!(value.unwrap().parse::<i32>().is_ok(), "{value:?}");
        }
    }

    #[test]
    fn the_last_group_protocol_that_applies_to_the_consumer_counts() {
        const NAME: &str = "group.protocol";
        let settings = || KafkaSettings::new("localhost:9092").group("test").topics(["in"]);
        for (settings, is_classic) in [
            (settings().consumer_setting(NAME, "consumer").setting(NAME, "classic"), true),
            (settings().setting(NAME, "classic").consumer_setting(NAME, "Consumer"), false),
            (settings().producer_setting(NAME, "consumer"), true),
        ] {
            let consumer = settings.consumer().unwrap();
            assert_eq!(consumer.get("session.timeout.ms").is_some(), is_classic, "{consumer:?}");
        }
    }
}
