//! What the entry point promises, one child process per scenario: this test binary itself, told
//! what to be.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod child;
mod exits;
mod scenario;
mod signals;
mod stuck;
