//! A member of the consumer group: the consumer, its rebalance callbacks, its commits, and the
//! messages in flight.
//!
//! These belong together because librdkafka ties them together: the callbacks run on the thread
//! that polls or closes the consumer, and wait there for the messages in flight to be settled and
//! committed before partitions are given back.

mod commit;
mod consumer;
mod intake;
mod lag;
mod ledger;
mod membership;
mod window;

pub(crate) use self::{
    commit::{NOT_IN_TIME, commit, keep_committing},
    consumer::{Consumer, LEAST_CLOSE_TIMEOUT, close},
    intake::Intake,
    lag::LagThread,
    ledger::{Room, Settled, Ticket, TopicPartition},
    membership::Membership,
    window::Window,
};
