//! The contract of the task, against a broker within the process.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod broker;
mod commits;
mod delivery;
mod parallel;
mod polling;
mod rebalance;
mod refusals;
mod rig;
mod settings;
mod stopping;
mod transactions;
mod transforms;
