//! A task that consumes from Kafka, transforms and produces: at least once, or in transactions.
//!
//! [`KafkaTask`] reads topics as a member of a consumer group, hands each message to a
//! [`Transform`], produces what that returns, and hands the effects (rows for a database, say) to a
//! [`Sink`]. A message's offset is stored only after all of its records were delivered and its
//! effect was written, in the order of its partition; so a message that was not dealt with in full
//! is read again, by this member or another.
//!
//! # What it promises
//!
//! No message is lost, whenever and however the process ends, as long as the brokers keep what they
//! acknowledged, and messages for as long as they are unread: of a partition that was cut off
//! before it was read, reading goes on at what is left. Records of one key keep the order of the
//! messages that they were made of.
//!
//! What it does not promise: that a message has its effects once. After a kill, a lost assignment,
//! a commit that was refused in the middle of a rebalance, or a stop with the brokers away, those
//! since the last commit are read again, so a [`Sink`] has to bear repetition. An orderly stop in a
//! quiet group repeats nothing.
//!
//! # What goes wrong, and what comes of it
//!
//! | | |
//! |---|---|
//! | the message is bad | [`Verdict::DeadLetter`]: to the dead-letter topic, with its origin and the reason in headers; without such a topic the task fails |
//! | something else is, for a while | [`Verdict::Retry`]: again after a pause, within [`Settings::retry_budget`]; then as above |
//! | a record is too large for the producer | as a bad message |
//! | brokers are away, leaders move, the producer's queue is full | librdkafka tries again, and the task receives no more than its window; after [`Settings::message_timeout`] it fails |
//! | the brokers refuse a record, this member or this user; the transform or the sink fails | the task fails, naming the message if there is one; what came before it is stored (with transactions: since the last one, read again) |
//! | a commit is refused in a rebalance | it is tried again at the next interval, and at a stop until its deadline |
//! | partitions are revoked | the callback waits for what is in flight of them, within [`Settings::revoke_budget`], and commits |
//! | partitions are lost | the task is not ready until it has others; what was in flight is read again |
//!
//! # Transactions
//!
//! With [`Settings::transactional_id`] records and offsets go together in transactions: begun at
//! the first message, ended after [`Settings::commit_interval`] or when the window is full. If one
//! fails, or partitions were revoked meanwhile, it is aborted and its messages are read again, for
//! as long as [`Settings::retry_budget`] in a row; a producer that was shut out by another one of
//! its id fails the task. Brokers that implement transactions show readers with
//! `isolation.level=read_committed` (librdkafka's default) each record once. **Effects are not part
//! of it**: the sink is written before the commit, and again if that fails.
//!
//! How far that was shown: the steps and their order, the abort, the rewind and the end of a
//! shut-out producer, against librdkafka's mock cluster, which answers every call but hides nothing
//! of an aborted transaction and forgets its offsets. With the pipeline example on a Tansu 0.6.0
//! broker, which keeps the offsets: of 95,960 messages, through five SIGTERMs in mid-stream, each
//! record was there once; through three SIGKILLs none of 100,784 was lost, but 5,572 records were
//! there twice, also for `read_committed`, since that broker does not hide what was aborted. That
//! readers see each record once after a kill was not shown, for want of a broker that implements it
//! in full.
//!
//! # Where it runs
//!
//! A rebalance is a callback that blocks until the messages in flight of the revoked partitions are
//! dealt with, which Tokio's other workers do meanwhile. On a current-thread runtime messages are
//! received and transformed on a thread of its own instead, which costs some throughput. Calls that
//! block (commits, transactions, the close) have threads of their own, for which neither the
//! runtime nor the process waits.
//!
//! # Features
//!
//! `tls` has librdkafka built with TLS and SASL/SCRAM. For others of `rdkafka`'s features, such as
//! `gssapi` or `zstd`, name `rdkafka` in your own manifest with them: there is one librdkafka in a
//! program.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod apart;
mod at_least_once;
mod client;
mod commit;
mod consumer;
mod counters;
mod decide;
mod error;
mod exactly_once;
mod failures;
mod group;
mod latency;
mod message;
mod outlet;
mod producer;
mod receive;
mod reports;
mod settings;
mod settle;
mod stop;
mod task;
mod thread;
mod transaction;
mod transform;
mod window;

pub use counters::{Counters, Counts};
pub use error::Error;
pub use latency::Latency;
pub use message::{Incoming, Output, Record, Verdict};
pub use producer::{Delivery, Producer, SendError};
pub use settings::Settings;
pub use task::KafkaTask;
pub use transform::{NoSink, Sink, Transform};
