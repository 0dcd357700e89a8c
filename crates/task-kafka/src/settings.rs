//! How the clients are set up.

use std::{fmt, sync::Arc, time::Duration};

use rdkafka::ClientConfig;

use crate::error::{Error, Kind};

/// What the delivery guarantee rests on, so that no free setting may change it.
const RESERVED: [&str; 7] = [
    "auto.commit.interval.ms",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "statistics.interval.ms",
];

/// How a [`KafkaTask`](crate::KafkaTask) and its [`Producer`](crate::Producer) work.
///
/// Setters take the value and return the settings; each names its default.
#[derive(Clone)]
#[must_use = "settings do nothing until a client is made of them"]
pub struct Settings {
    pub(crate) brokers: String,
    pub(crate) group: String,
    pub(crate) topics: Vec<String>,
    pub(crate) dead_letter_topic: Option<Arc<str>>,
    pub(crate) window: usize,
    pub(crate) batch: usize,
    pub(crate) session_timeout: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) stop_budget: Duration,
    pub(crate) revoke_budget: Duration,
    free: Vec<(String, String)>,
}

impl Settings {
    /// Makes settings for these brokers: `host:port`, separated by commas.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group: String::from("default"),
            topics: Vec::new(),
            dead_letter_topic: None,
            window: 4096,
            batch: 256,
            session_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(20),
            stop_budget: Duration::from_secs(15),
            revoke_budget: Duration::from_secs(5),
            free: Vec::new(),
        }
    }

    /// The consumer group. Default: `default`.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// The topics to read, by name; patterns are not supported. Default: none.
    pub fn topics<N: Into<String>>(mut self, topics: impl IntoIterator<Item = N>) -> Self {
        self.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// The topic for messages that the transform refuses. Default: none, and the first refusal fails the task.
    pub fn dead_letter_topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.dead_letter_topic = Some(topic.into());
        self
    }

    /// How many messages may be between their receipt and their stored offset, at least 1. Default: 4096.
    pub fn window(mut self, messages: usize) -> Self {
        self.window = messages.max(1);
        self
    }

    /// How many messages are handed to the sink at once, at least 1. Default: 256.
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = messages.max(1);
        self
    }

    /// How long the group waits for a member that has vanished. Brokers accept 6 s to 30 min as they are shipped.
    /// Default: 10 s.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// How long the producer tries to deliver a record, over all retries, before the task fails. Keep it below the
    /// time that the process has to end. Default: 20 s.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// How long a stop may take: three fifths to finish what is in flight, the rest to commit and to leave the group.
    /// It is shortened to what the manager grants. Default: 15 s.
    pub fn stop_budget(mut self, budget: Duration) -> Self {
        self.stop_budget = budget;
        self
    }

    /// How long a rebalance may wait for what is in flight of the revoked partitions. Default: 5 s.
    pub fn revoke_budget(mut self, budget: Duration) -> Self {
        self.revoke_budget = budget;
        self
    }

    /// Any other setting of librdkafka, given to both clients: `security.protocol`, `sasl.username`. Default: none.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.free.push((name.into(), value.into()));
        self
    }

    pub(crate) fn consumer(&self) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::new();
        config
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky");
        self.finish(&mut config)?;
        config
            .set("group.id", &self.group)
            .set("session.timeout.ms", millis(self.session_timeout))
            // What is stored is committed every second; but only the task itself stores, after the fact.
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            // Where the lag comes from.
            .set("statistics.interval.ms", "1000");
        Ok(config)
    }

    pub(crate) fn producer(&self) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::new();
        // The same partition for the same key as the Java client's.
        config.set("partitioner", "murmur2_random").set("linger.ms", "5");
        self.finish(&mut config)?;
        config
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", millis(self.message_timeout));
        Ok(config)
    }

    /// Adds what both clients share. Free settings beat the defaults above the call and lose to those below it.
    fn finish(&self, config: &mut ClientConfig) -> Result<(), Error> {
        for (name, value) in &self.free {
            if RESERVED.contains(&name.as_str()) {
                return Err(Kind::Reserved(name.clone()).into());
            }
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the free settings only the names: a password may be among them.
        let free: Vec<_> = self.free.iter().map(|(name, _)| name).collect();
        f.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("settings", &free)
            .finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
