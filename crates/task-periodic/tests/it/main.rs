//! The contract of periodic tasks, from outside, on a paused clock.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests")]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod actions;
mod blocking;
#[cfg(feature = "cron")]
mod clock_steps;
#[cfg(feature = "cron")]
mod cron;
#[cfg(feature = "cron")]
mod cron_patterns;
mod everywhere;
mod failures;
mod first_run;
mod invalid;
mod jitter;
mod log;
mod managed;
mod model;
mod panics;
mod rig;
mod run_at_stop;
mod status;
mod stopping;
mod timeouts;
