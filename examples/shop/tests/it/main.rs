//! Tests of the API, of the streams, of the service whenever it is stopped, and of the service as a
//! process.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../../../../crates/task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod client;
mod database;
mod everywhere;
mod orders;
mod process;
mod streams;
mod within;
