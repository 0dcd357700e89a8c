//! What the manager promises when code blocks: in real time, one child process per scenario.
//!
//! Each test starts this very binary again with its own name, so that a wedged runtime ends with its process and not
//! with the tests'. The scenarios run one after another, for they measure time.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod backtraces;
mod begun;
mod blocked;
mod child;
mod exit;
mod foreign;
mod idle;
mod late;
mod nested;
mod nested_logs;
mod refused;
mod sinks;
mod slow_logs;
mod stuck;
mod wakers;
