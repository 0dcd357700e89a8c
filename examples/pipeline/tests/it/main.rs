//! Tests of the database, of the service whenever it is stopped, and of the service as a process.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../../../../crates/task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod database;
mod ends;
mod everywhere;
mod service;
