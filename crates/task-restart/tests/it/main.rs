//! The contract of task-restart, on a paused clock.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod blocking;
mod everywhere;
mod failures;
#[cfg(feature = "group")]
mod group;
mod handle;
mod log;
mod managed;
mod panics;
mod readiness;
mod rig;
mod runs;
mod stopping;
mod timeouts;
mod values;
