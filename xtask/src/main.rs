//! `cargo xtask`: every chore of this repository as one command, the same locally and in CI.
//!
//! A *chore* is a command (`cargo xtask ci`) and consists of timed *sections*. It needs Cargo,
//! rustc and the tools that a section names.

// This program prints to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod chore;
mod churn;
mod ci;
mod command;
mod deep;
mod failed;
mod features;
mod flagship;
mod http;
mod kubernetes;
mod model;
mod platform;
mod rollout;
mod running;
mod section;
mod systemd;
mod tidy;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match chore::dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
