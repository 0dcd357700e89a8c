//! How the clients are set up.

mod native;

use std::{fmt, sync::Arc, time::Duration};

/// How a [`KafkaTask`](crate::KafkaTask) and its [`Producer`](crate::Producer) work.
///
/// Setters take the value and return the settings; each names its default. What is wrong is said
/// when a client is made of them: no brokers, group or topics; a pattern among the topics; a
/// dead-letter topic that is read too; a number or a time that is zero; a free setting that the
/// guarantee rests on, or that librdkafka does not know.
#[derive(Clone)]
#[must_use = "settings do nothing until a client is made of them"]
pub struct Settings {
    brokers: String,
    pub(crate) group: String,
    pub(crate) topics: Vec<String>,
    pub(crate) transactional_id: Option<String>,
    pub(crate) dead_letter_topic: Option<Arc<str>>,
    pub(crate) window: usize,
    pub(crate) batch: usize,
    pub(crate) commit_interval: Duration,
    pub(crate) retry_budget: Duration,
    session_timeout: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) stop_budget: Duration,
    pub(crate) revoke_budget: Duration,
    free: Vec<Free>,
}

/// A setting of librdkafka.
#[derive(Clone)]
struct Free {
    of: Clients,
    name: String,
    value: String,
}

/// Which client a setting is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    Both,
    Consumer,
    Producer,
}

impl Settings {
    /// Makes settings for these brokers: `host:port`, separated by commas.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group: String::from("default"),
            topics: Vec::new(),
            transactional_id: None,
            dead_letter_topic: None,
            window: 4096,
            batch: 256,
            commit_interval: Duration::from_secs(1),
            retry_budget: Duration::from_secs(30),
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

    /// The topic for messages that the transform refuses. Default: none, and the first refusal
    /// fails the task.
    pub fn dead_letter_topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.dead_letter_topic = Some(topic.into());
        self
    }

    /// Produces in transactions, which take the offsets with them, under this id. Default: no
    /// transactions, at least once.
    ///
    /// The id has to be the instance's own and the same after a restart (on Kubernetes, the name of
    /// the pod of a stateful set), since it is how the brokers shut out an instance that was
    /// thought dead. See the crate's documentation for what that promises, and where it was shown.
    pub fn transactional_id(mut self, id: impl Into<String>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// How many messages may be between their receipt and their stored offset, at least 1. When so
    /// many are, the task receives no more. With transactions, how many one of them holds at most.
    /// Default: 4096.
    pub fn window(mut self, messages: usize) -> Self {
        self.window = messages;
        self
    }

    /// How many messages are settled at once at most, that is, handed to the sink, at least 1.
    /// Default: 256.
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = messages;
        self
    }

    /// How often what is stored is committed: what a kill makes the group read again is what came
    /// since the last commit. With transactions, how long one stays open, and so how late its
    /// records are seen. Default: 1 s.
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval;
        self
    }

    /// How long one message may be retried (see [`Verdict::Retry`](crate::Verdict::Retry)) before
    /// it is refused like a bad one. Keep it far below `max.poll.interval.ms`, which is 5 min:
    /// nothing else is received meanwhile. Default: 30 s.
    pub fn retry_budget(mut self, budget: Duration) -> Self {
        self.retry_budget = budget;
        self
    }

    /// How long the group waits for a member that has vanished. Brokers accept 6 s to 30 min as
    /// they are shipped. Default: 10 s.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// How long the producer tries to deliver a record, over all retries, before the task fails.
    /// Keep it below the time that the process has to end. Default: 20 s.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// How long a stop may take: three fifths to finish what is in flight, the rest to commit and
    /// to leave the group. It is shortened to what the manager grants. Default: 15 s.
    pub fn stop_budget(mut self, budget: Duration) -> Self {
        self.stop_budget = budget;
        self
    }

    /// How long a rebalance may wait for what is in flight of the revoked partitions. Default: 5 s.
    pub fn revoke_budget(mut self, budget: Duration) -> Self {
        self.revoke_budget = budget;
        self
    }

    /// Any other setting of librdkafka, given to both clients: `security.protocol`,
    /// `sasl.username`. Default: none.
    pub fn setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Both, name.into(), value.into())
    }

    /// Any other setting of librdkafka, given to the consumer: `fetch.min.bytes`,
    /// `group.instance.id`. Default: none.
    pub fn consumer_setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Consumer, name.into(), value.into())
    }

    /// Any other setting of librdkafka, given to the producer: `linger.ms`, `compression.type`.
    /// Default: none.
    pub fn producer_setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Producer, name.into(), value.into())
    }

    fn add(mut self, of: Clients, name: String, value: String) -> Self {
        self.free.push(Free { of, name, value });
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the free settings only the names: a password may be among them.
        let free: Vec<_> = self.free.iter().map(|free| &free.name).collect();
        f.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("settings", &free)
            .finish_non_exhaustive()
    }
}
