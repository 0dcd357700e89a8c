//! The test kit against planted bugs and their correct twins, and against the manager.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and print")]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod chaotic;
mod everywhere;
mod group;
mod hangs;
mod planted;
mod report;
mod run;
mod service;
