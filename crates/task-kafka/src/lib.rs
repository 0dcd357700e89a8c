//! A Kafka pipeline as a task: consume, transform and produce, at least once or in transactions.
//!
//! [`KafkaTask`] reads topics as a member of a consumer group, hands each message to a
//! [`Transform`], produces the records that it returns, and hands its effects (rows for a database,
//! say) to a [`Sink`]. The offset of a message is stored only after all of its records were
//! delivered and its effect was written, in the order of its partition. A message that was not
//! settled in full is read again, by this member or another.
//!
//! ```text
//! brokers ──> receive ──> Transform ──> Producer ──> brokers
//!                             │             │ delivery reports
//!                             └─ effect ─> settle ──> Sink
//!                                           │ store the offset
//!                                         commit ──> brokers
//! ```
//!
//! # Examples
//!
//! ```no_run
//! use task_kafka::{
//!     Incoming, KafkaSettings, KafkaTask, Output, Producer, Record, Sink, Transform, Verdict,
//! };
//!
//! struct Enrich;
//!
//! impl Transform for Enrich {
//!     type Effect = String;
//!
//!     async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<String>> {
//!         let Some(order) = message.payload().and_then(|it| std::str::from_utf8(it).ok()) else {
//!             return Ok(Verdict::DeadLetter("the order is not UTF-8".into()));
//!         };
//!         let record = Record::to("orders-enriched").payload(format!("{order}, enriched"));
//!         Ok(Verdict::Forward(Output::new().record(record).effect(order.to_owned())))
//!     }
//! }
//!
//! struct Table;
//!
//! impl Sink<String> for Table {
//!     async fn write(&mut self, orders: Vec<String>) -> anyhow::Result<()> {
//!         // Upsert the rows: they may come again.
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> anyhow::Result<()> {
//! let settings = KafkaSettings::new("kafka:9092")
//!     .group("enricher")
//!     .topics(["orders"])
//!     .dead_letter_topic("orders-dead");
//! let producer = Producer::new(&settings)?;
//! let task = KafkaTask::new(settings, producer, Enrich, Table)?;
//! // manager.run(task)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Delivery guarantees
//!
//! - **No message is lost**, whenever and however the process ends, as long as the brokers keep
//!   what they acknowledged, and keep messages until they are read. If the brokers have deleted
//!   messages that were not read, reading continues at the first one that is left; with
//!   `auto.offset.reset=error` the task fails instead.
//! - **Order is kept**: records with one key keep the order of the messages that they were made
//!   from; in parallel, if those have one key, too, and are in one partition. Behind a record that
//!   the brokers refuse, none of its partition is delivered.
//! - **Messages may be repeated.** After a kill, a lost assignment, a commit that was refused
//!   during a rebalance, or a stop while the brokers are away, the messages since the last commit
//!   are read again. A [`Sink`] has to tolerate repetition. An orderly stop in a stable group
//!   repeats nothing.
//!
//! # Failures
//!
//! | failure | handling |
//! |---|---|
//! | the message is bad | [`Verdict::DeadLetter`]: it goes to the dead-letter topic, with its origin and the reason in headers |
//! | the sink refuses one effect of a batch ([`RefusedEffects`]) | as a bad message, whose records were produced; the other effects count as written |
//! | a bad message cannot be dead-lettered: no such topic, or its headers are too large | the task fails, or the message is skipped and counted: [`KafkaSettings::on_poison`] |
//! | a temporary condition | [`Verdict::Retry`]: the transform is called again after a pause, for at most [`KafkaSettings::retry_timeout`]; then as above |
//! | a record is too large for the producer (`message.max.bytes`) | as a bad message; none of its records is sent |
//! | brokers are away, leaders move, the producer's queue is full | librdkafka retries, and the task receives no more than its window; after [`KafkaSettings::message_timeout`] it fails |
//! | the brokers refuse a record, this member or this user; the transform or the sink fails | the task fails, and names the message if there is one; the messages before it are stored (with transactions: those since the last one are read again) |
//! | a commit is refused during a rebalance, or for another reason that passes | it is retried at the next interval, and at a stop until its deadline |
//! | the consumer or a commit is refused for good: no permission, a codec that is not built in | the task fails, with the reason of the brokers |
//! | it is refused for a reason that may pass or stay, such as a group that is full or has another protocol, or that is unknown | after [`KafkaSettings::retry_timeout`] without progress, as above |
//! | a commit does not return | the task fails after [`KafkaSettings::retry_timeout`], 10 s at the least; with transactions, a new producer takes over |
//! | partitions are revoked | the callback waits for their messages in flight, for at most [`KafkaSettings::revoke_timeout`], and commits; what is not settled by then is left to the next owner |
//! | a transform or the sink hangs, nothing moves | after [`KafkaSettings::stall_timeout`] it is named, and the task is not ready; see [below](#back-pressure) |
//! | partitions are lost | the task is not ready until it has others; the messages in flight are read again |
//!
//! # In parallel
//!
//! With [`KafkaSettings::concurrency`] and [`KafkaTask::parallel`], many messages are transformed
//! at once. [`Order::Key`], the default, has those of one key of a partition one after the other,
//! each after the records of the one before were sent; [`Order::Partition`] those of a partition;
//! [`Order::None`] gives the order up. Records and effects keep the same order.
//!
//! - **Offsets are stored up to the first message that is not done.** So nothing is lost, and after
//!   a kill what was done behind that message is repeated.
//! - **A retry holds its key.** Other messages go on, until as many as the
//!   [window](KafkaSettings::window) were received after it. With transactions, the commit waits for
//!   it, and what follows waits for the commit.
//! - **Limits**: [`KafkaSettings::window`] in messages, [`KafkaSettings::window_bytes`] in bytes.
//!   Messages wait for their key in copies of their own.
//! - **A stop or a revocation** lets the transforms that run finish, and those before them in their
//!   partitions, within its time. The others are dropped; they were not begun, and are read again.
//!   A retry is not waited for: what was done behind it is read again, too, and the task fails,
//!   naming how many messages that are. A transform whose partition is gone is dropped at its
//!   await.
//! - **Transactions** hold the messages that were transformed at once. Each ends when all its
//!   messages are done. If a stop finds one of them in a retry, the transaction is aborted.
//! - Keys are compared by a hash: two keys with the same one wait for each other.
//!
//! # Back-pressure
//!
//! While the window is full, or a transform or a sink takes long, the partitions are paused after
//! half a second and the consumer is polled: rebalances go on, and `max.poll.interval.ms` does not
//! pass. What librdkafka had prefetched is fetched again afterwards. A transform, or a call of the
//! sink, that takes longer than [`KafkaSettings::stall_timeout`] is named in the log and the
//! status. If nothing has moved for that long although there is something to read, the task is not
//! ready until something moves ([`Counts::stalled`]). Only code that blocks its thread holds the
//! polling up, at a concurrency of 1.
//!
//! # Stopping
//!
//! A stop ends the receiving at once, drains the messages in flight, commits, and leaves the group,
//! each step with a deadline within [`KafkaSettings::stop_timeout`] and the time that the manager
//! grants. Messages that cannot be settled in time are abandoned and read again, and the task
//! fails, naming how many they are. If the group changes meanwhile, what could not be committed is
//! left to the next owner, which is no failure. [`KafkaTask`] has the steps in detail.
//!
//! # Transactions
//!
//! With [`KafkaSettings::transactional_id`], records and offsets are committed together. A
//! transaction begins at its first message and ends after [`KafkaSettings::commit_interval`] or
//! when the window is full. If it fails, or partitions were revoked meanwhile, it is aborted and
//! its messages are read again, for at most [`KafkaSettings::retry_timeout`] in a row. A producer
//! that was fenced by another one with its id fails the task. Partitions that were revoked are
//! not rewound, even if they are assigned again: they are read from the group's last commit on.
//!
//! **No call into librdkafka holds the task.** A commit has 10 s, or
//! [`KafkaSettings::message_timeout`] if that is shorter. After the loss of a broker the call may
//! not return at all (librdkafka#5511, librdkafka#5456); a second after its time it is abandoned
//! with its thread and its producer. If a commit or an abort was abandoned, or its outcome is
//! unknown, for instance after a time-out, a new producer with the same id takes over. Its start
//! ends the transaction of the one before, whose late requests are refused from then on. The
//! committed offsets, read from the brokers, say whether that transaction was committed; the task
//! goes on behind its messages, or reads them again. [`Counts::renewals`] counts the new producers.
//! If more than eight of the abandoned ones are still in use, the task fails.
//!
//! The transactional id has to be this instance's alone: a second instance with it would be fenced
//! by a new producer, as it fences this one.
//!
//! With brokers that implement transactions, readers with `isolation.level=read_committed`
//! (librdkafka's default) see each record once. **Effects are not part of the transaction**: the
//! sink is written before the commit, and again if that fails.
//!
//! How far this was shown: the steps and their order, the abort, the rewind and the end of a fenced
//! producer, against librdkafka's mock cluster, which answers every call but hides nothing of an
//! aborted transaction and forgets its offsets. With the pipeline example on a Tansu 0.6.0 broker,
//! which keeps the offsets: of 95,960 messages, through five SIGTERMs in mid-stream, each record
//! was there once; through three SIGKILLs none of 100,784 was lost, but 5,572 records were there
//! twice, also for `read_committed`, since that broker does not hide what was aborted.
//!
//! On Apache Kafka 4.4.0 with three nodes, on a busy machine (`cargo xtask churn --broker apache
//! --nodes 3 --transactions --rate 300`): 16 SIGKILLs of a member, 26,197 messages; ten rolling
//! restarts of two members, 18,051; 30 SIGKILLs of a node, mostly a coordinator, 153,024; ten times
//! a node suspended for up to 15 s, 45,587; six times a member suspended beyond its session,
//! 26,089; six times more partitions, 14,368. No message was lost, and none was there twice. In all
//! but the restarts and ten of the SIGKILLs of a member, another reader of committed records ran
//! meanwhile: it saw the same as one afterwards, and nothing that was aborted. In the kills of
//! nodes, 20 commits or aborts were of unknown fate, and each was found out. In four of these 30
//! rounds, in which a second node could be killed while the first was not yet in sync, it took more
//! than 25 s after the node's return until messages were settled again. In twelve further kills,
//! 65,875 messages, each in a cluster that was whole, none was lost or there twice, and in one of
//! them it took more than 15 s from the cluster being whole again.
//!
//! # Runtime and threads
//!
//! A rebalance is a callback that blocks until the messages in flight of the revoked partitions are
//! settled, by Tokio's other workers. On a current-thread runtime a dedicated thread receives (and,
//! at a concurrency of 1, transforms) messages instead, at some cost in throughput. In parallel,
//! each transform has a Tokio task. Calls that block on the brokers (commits, transactions, the
//! close, a purge) have dedicated threads; neither the runtime nor the process waits for these.
//! Another one asks the brokers every second for the ends of the assigned partitions, so that the
//! lag is right while the consumer stands still; the close of the consumer may wait for an answer,
//! for at most one and a half seconds.
//!
//! # Limits
//!
//! - In flight: at most [`KafkaSettings::window`] messages, 4096 by default, with their records and
//!   effects; in parallel, 64 MiB of keys and payloads, too ([`KafkaSettings::window_bytes`]).
//!   librdkafka prefetches up to 64 MB of messages (`queued.max.messages.kbytes`) and queues up to
//!   100,000 records; see [`Producer`].
//! - One message is transformed at a time, unless the task is [parallel](#in-parallel).
//! - Tested with the classic group protocol alone, librdkafka's default. With
//!   `group.protocol=consumer`, librdkafka 2.12, which is built in, may stand still for minutes
//!   (node-rdkafka#1146; fixed in 2.15).
//! - A topic is subscribed by its name, not by a pattern.
//! - Offsets are stored in the group; nothing is read from an arbitrary offset.
//! - Errors of librdkafka are logged at most every 10 s for each client.
//!
//! # Platforms
//!
//! | what | Linux | macOS, FreeBSD | Windows |
//! |---|---|---|---|
//! | build of librdkafka | configure and make | configure and make | CMake: turn on feature `cmake-build` of `rdkafka` in your own manifest |
//! | tests | all, with glibc | type checks of the Rust code | type checks of the Rust code |
//!
//! # Features
//!
//! `tls` builds librdkafka with TLS and SASL/SCRAM. For other features of `rdkafka`, such as
//! `gssapi` or `zstd`, depend on `rdkafka` with them: a program has only one librdkafka.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod task;

mod at_least_once;
mod exactly_once;

mod progress;
mod workers;

mod decide;
mod dispatch;
mod failures;
mod parts;
mod stop;

mod member;

mod producer;

mod counters;
mod latency;
mod slow;

mod message;
mod settings;
mod transform;

mod error;
mod faults;
mod log;
mod panics;
mod thread;

pub use counters::{Counters, Counts, PartitionLag};
pub use error::KafkaError;
pub use latency::Latency;
pub use message::{Incoming, Output, Record, Verdict};
pub use producer::{Delivery, Producer, SendError};
pub use settings::{KafkaSettings, OnPoison, Order};
pub use task::KafkaTask;
pub use transform::{NoSink, RefusedEffects, Sink, Transform, TransformFn, transform_fn};
