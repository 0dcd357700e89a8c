//! The task on a broker within the process: what becomes of messages, and how it ends.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

mod bench;
mod broker;
mod commits;
mod delivery;
mod rebalance;
mod settings;
mod stopping;
mod transactions;
mod transforms;
