//! Tests of the health service: its answers, and behind a server that stops.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod answers;
mod server;
