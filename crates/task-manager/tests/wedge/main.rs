//! The manager while user code blocks threads, in real time, with one child process per scenario.
//!
//! Each test starts this binary again with its own name, so that a blocked runtime ends with the
//! child process. The scenarios run one after another, since they measure time.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod backtraces;
mod blocked;
mod callers;
mod child;
mod exit;
mod fuse;
mod idle;
mod late_ends;
mod leaving;
mod log_order;
mod messages;
mod nested;
mod nested_logs;
#[cfg(feature = "token")]
mod parent;
mod pulse;
// Elsewhere the test harness itself ends by a panic when it gets no thread.
#[cfg(unix)]
mod refused;
mod sinks;
mod slow_logs;
mod support;
mod telemetry;
mod threads;
mod triggers;
#[allow(dead_code, reason = "shared with suites whose tests are run again as a whole")]
#[path = "../../../task-core/tests/it/undisturbed.rs"]
mod undisturbed;
mod user_code;
mod wakers;
mod words;
