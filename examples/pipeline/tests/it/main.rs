//! The pipeline from outside: its Kafka task on an embedded broker, and the whole service as a process.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

mod bench;
mod database;
mod delivery;
mod rebalance;
mod service;
mod stopping;
