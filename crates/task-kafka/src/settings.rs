//! The settings of the clients and of the task.

mod native;

use std::{fmt, sync::Arc, time::Duration};

/// Longer times count as a week. Every deadline is then within the range of the clocks, and every
/// sum of three times, in milliseconds, within the 32 bits that librdkafka wraps around at.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The settings of a [`KafkaTask`](crate::KafkaTask) and its [`Producer`](crate::Producer).
///
/// Setters consume and return the settings, and check nothing. The constructors of the clients
/// check them all and return [`KafkaError`](crate::KafkaError) if:
///
/// - there are no brokers, no group or no topics, or a topic is a pattern;
/// - the dead-letter topic is read, too;
/// - the window, its bytes, the concurrency or the batch is zero, or the commit interval, the
///   session timeout or the message timeout is below a millisecond;
/// - an [additional setting](Self::setting) is reserved, or unknown to librdkafka.
///
/// A time longer than a week counts as a week.
///
/// # Reserved settings
///
/// The delivery guarantee depends on some settings of librdkafka, which therefore cannot be set
/// directly: those of commits and offset storage, idempotence, delivery reports, and whatever has a
/// setter here. The others may be set. Defaults that differ from librdkafka's:
/// `auto.offset.reset=earliest`, `partition.assignment.strategy=cooperative-sticky`, and
/// `partitioner=murmur2_random`, which chooses the same partition for a key as the Java client.
///
/// Without transactions, another is `enable.gapless.guarantee=true`: once the brokers have refused
/// a record, the producer delivers no later one of its partition, so that none overtakes it when
/// its message is read again. Such a producer is of no use any more. One that is used without a
/// task may rather go on (`enable.gapless.guarantee=false`).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_kafka::KafkaSettings;
///
/// let settings = KafkaSettings::new("kafka-0:9092,kafka-1:9092")
///     .group("enricher")
///     .topics(["orders"])
///     .dead_letter_topic("orders-dead")
///     .window(1024)
///     .message_timeout(Duration::from_secs(10))
///     .setting("client.id", "enricher-0")
///     .producer_setting("compression.type", "lz4");
/// # let _ = settings;
/// ```
#[derive(Clone)]
#[must_use = "settings have no effect until a client is created from them"]
pub struct KafkaSettings {
    brokers: String,
    pub(crate) group: String,
    pub(crate) topics: Vec<String>,
    pub(crate) transactional_id: Option<String>,
    pub(crate) dead_letter_topic: Option<Arc<str>>,
    pub(crate) on_poison: OnPoison,
    pub(crate) window: usize,
    pub(crate) window_bytes: usize,
    pub(crate) concurrency: usize,
    pub(crate) order: Order,
    pub(crate) batch: usize,
    pub(crate) commit_interval: Duration,
    pub(crate) retry_timeout: Duration,
    session_timeout: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) revoke_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    additional: Vec<Additional>,
}

/// Which messages are transformed one after the other, in their order, although others are
/// transformed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Those of one partition with one key. Messages without a key have no order.
    #[default]
    Key,
    /// Those of one partition: no more are transformed at once than there are partitions.
    Partition,
    /// None. Records with one key, and effects, may overtake each other.
    None,
}

/// What becomes of a message that was refused and cannot be dead-lettered: there is no dead-letter
/// topic, or its headers and its key alone are too large for the producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPoison {
    /// The task fails, and names the message. It is read again, and fails the next run, too.
    #[default]
    Fail,
    /// The message is lost: it is named in the log, with the reason, as an error, and counted in
    /// [`Counts::skipped`](crate::Counts::skipped), which the status shows.
    Skip,
}

/// A setting of librdkafka that has no setter.
#[derive(Clone)]
struct Additional {
    clients: Clients,
    name: String,
    value: String,
}

/// The clients that a setting applies to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    Both,
    Consumer,
    Producer,
}

impl KafkaSettings {
    /// Creates settings for these brokers: `host:port`, separated by commas.
    ///
    /// The brokers named here are contacted first; the clients learn the others from them.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group: String::new(),
            topics: Vec::new(),
            transactional_id: None,
            dead_letter_topic: None,
            on_poison: OnPoison::Fail,
            window: 4096,
            window_bytes: 64 * 1024 * 1024,
            concurrency: 1,
            order: Order::Key,
            batch: 256,
            commit_interval: Duration::from_secs(1),
            retry_timeout: Duration::from_secs(30),
            session_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(15),
            revoke_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            additional: Vec::new(),
        }
    }

    /// Sets the consumer group. Default: none, and a task needs one.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Sets the topics to read, by name; patterns are not supported. Default: none.
    pub fn topics<N: Into<String>>(mut self, topics: impl IntoIterator<Item = N>) -> Self {
        self.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the topic for messages that the transform refuses. Default: none, and a refused message
    /// is one that [cannot be dead-lettered](Self::on_poison).
    ///
    /// A dead letter is cut to what the producer takes (`message.max.bytes`, by default 1 MB). One
    /// that the brokers refuse fails the task: set that limit to the topic's `max.message.bytes` if
    /// the topic takes less.
    pub fn dead_letter_topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.dead_letter_topic = Some(topic.into());
        self
    }

    /// Sets what becomes of a message that was refused and cannot be dead-lettered. Default:
    /// [`OnPoison::Fail`].
    pub fn on_poison(mut self, policy: OnPoison) -> Self {
        self.on_poison = policy;
        self
    }

    /// Sets the transactional id, which turns transactions on. Default: none, for delivery at least
    /// once.
    ///
    /// The id has to be unique to the instance, and the same after a restart: the brokers use it to
    /// fence an instance that was replaced. On Kubernetes, use the pod name of a stateful set. See
    /// [the crate's documentation](crate#transactions) for the guarantee and its evidence.
    pub fn transactional_id(mut self, id: impl Into<String>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// Sets the most messages in flight, that is, received and not settled; at least 1. When the
    /// window is full, the task receives no more. With transactions, it is the most messages of one
    /// transaction. Default: 4096.
    ///
    /// [In parallel](crate#in-parallel), a message whose offset cannot be stored yet, because one
    /// before it in its partition is not done, is in flight, too. So one that is retried stops
    /// everything once so many messages were received after it.
    pub fn window(mut self, messages: usize) -> Self {
        self.window = messages;
        self
    }

    /// Sets the most bytes of the messages that wait for their transform, are being transformed, or
    /// whose records and effects are not yet settled; at least 1. Their keys and payloads count,
    /// their headers do not.
    /// When they are reached, the task receives no more, so that one message may go beyond.
    /// Default: 64 MiB.
    ///
    /// Without effect at a [concurrency](Self::concurrency) of 1, which copies no message unless the
    /// sink [may refuse](crate::Sink::may_refuse) its effect.
    pub fn window_bytes(mut self, bytes: usize) -> Self {
        self.window_bytes = bytes;
        self
    }

    /// Sets the most messages that are transformed at once; at least 1. Each has a clone of the
    /// transform, so more than one takes [`KafkaTask::parallel`](crate::KafkaTask::parallel). See
    /// the [crate's documentation](crate#in-parallel). Default: 1.
    pub fn concurrency(mut self, transforms: usize) -> Self {
        self.concurrency = transforms;
        self
    }

    /// Sets which messages keep their order when several are transformed at once. Default:
    /// [`Order::Key`].
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets the most messages that are settled together, and so the most effects of one call of the
    /// sink; at least 1. Without effect with transactions, which are settled as a whole. Default:
    /// 256.
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = messages;
        self
    }

    /// Sets the time between two commits. Default: 1 s.
    ///
    /// After a kill, the messages since the last commit are read again. With transactions, this is
    /// how long one stays open, and so how late readers see its records.
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval.min(LONGEST);
        self
    }

    /// Sets how long one message may be retried (see [`Verdict::Retry`](crate::Verdict::Retry))
    /// before it is dead-lettered. Default: 30 s.
    ///
    /// Nothing else is received meanwhile, unless messages are transformed [in
    /// parallel](crate#in-parallel). It also limits how long the consumer, and commits, may have
    /// errors that are not known to pass, such as a group that is full; and with transactions, how
    /// long aborted ones are repeated in a row. A member without partitions counts such an error
    /// until its next assignment: a join that is accepted after it, but takes longer than this,
    /// fails the task.
    pub fn retry_timeout(mut self, timeout: Duration) -> Self {
        self.retry_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long the group waits for a member that does not respond. Default: 10 s.
    ///
    /// Brokers accept 6 s to 30 min unless they are configured otherwise. Without effect with
    /// `group.protocol=consumer`, where the brokers decide.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long the producer tries to deliver a record, including all retries, before the task
    /// fails. Default: 20 s.
    ///
    /// Keep it below the time that the process has to shut down.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long a stop may take: three fifths to settle the messages in flight, the rest to
    /// commit and to leave the group. Default: 15 s.
    ///
    /// The time that the manager grants takes precedence if it is shorter.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long a rebalance may wait for the messages in flight of the revoked partitions.
    /// Default: 5 s.
    ///
    /// Messages that are not settled by then are repeated by the next owner.
    pub fn revoke_timeout(mut self, timeout: Duration) -> Self {
        self.revoke_timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long a call of the transform or of the sink may take before it is named in the log
    /// and the status, and how long nothing may move while there is lag before the task is not
    /// ready. Nothing is dropped or aborted. Default: 60 s.
    ///
    /// Something has moved if a message was consumed or settled. With transactions, the [commit
    /// interval](Self::commit_interval) is added, since nothing is settled before.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout.min(LONGEST);
        self
    }

    /// Adds a setting of librdkafka for both clients, such as `security.protocol` or
    /// `sasl.username`. Default: none.
    ///
    /// librdkafka's `CONFIGURATION.md` lists them all. Of two with one name, the later one counts.
    pub fn setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Both, name.into(), value.into())
    }

    /// Adds a setting of librdkafka for the consumer, such as `fetch.min.bytes` or
    /// `group.instance.id`. Default: none.
    pub fn consumer_setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Consumer, name.into(), value.into())
    }

    /// Adds a setting of librdkafka for the producer, such as `linger.ms` or `compression.type`.
    /// Default: none.
    pub fn producer_setting(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(Clients::Producer, name.into(), value.into())
    }

    fn add(mut self, clients: Clients, name: String, value: String) -> Self {
        self.additional.push(Additional { clients, name, value });
        self
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the names of additional settings: a value may be a password.
        let additional: Vec<_> = self.additional.iter().map(|it| &it.name).collect();
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("additional", &additional)
            .finish_non_exhaustive()
    }
}
