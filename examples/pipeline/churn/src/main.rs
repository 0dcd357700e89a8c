//! `churn`: does to the pipeline whatever production does to a service, and counts what is lost.
//!
//! It starts members of one consumer group as processes, feeds them orders, ends them and takes from them what they
//! rely on at random instants, and then judges by ids alone: an independent consumer reads every topic from the start,
//! and the rows of the database are compared with them. Logs decide nothing.

// A program that talks to a person on a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;

mod broker;
mod database;
mod feeder;
mod member;
mod message;
mod probe;
mod program;
mod reader;

mod exits;
mod judge;
mod scenario;
mod scenarios;
mod stage;

mod driver;
mod table;

use std::process::ExitCode;

/// The exit code of a promise that was broken.
const BROKEN: u8 = 1;
/// The exit code when churn itself could not go on.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    match driver::run(&arguments::Arguments::of_process()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("churn: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
