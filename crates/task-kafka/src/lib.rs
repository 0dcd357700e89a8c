//! A task that consumes from Kafka, transforms and produces, at least once.
//!
//! [`KafkaTask`] reads topics as a member of a consumer group, hands each message to a [`Transform`], produces what that
//! returns, and hands the effects (rows for a database, say) to a [`Sink`]. A message's offset is stored only after
//! all of its records were delivered and its effect was written, in the order of its partition; so a message that was
//! not dealt with in full is read again, by this member or another.
//!
//! What it promises: no message is lost, whenever and however the process ends, as long as the brokers keep what they
//! acknowledged. What it does not promise: that a message has its effects once. After a kill, a lost assignment or a
//! stop with the brokers away, those since the last commit are read again, so a [`Sink`] has to bear repetition.
//!
//! A rebalance is a callback that blocks until the messages in flight of the revoked partitions are dealt with, which
//! Tokio's other workers do meanwhile. On a current-thread runtime messages are received and transformed on a thread of
//! its own instead, which costs some throughput.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod apart;
mod client;
mod commit;
mod consumer;
mod counters;
mod decide;
mod error;
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
