//! The contract of task-leader, on a paused clock.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
#[cfg(all(feature = "file", unix))]
mod file;
mod hand_over;
mod losses;
mod rig;
mod stopping;
mod values;
