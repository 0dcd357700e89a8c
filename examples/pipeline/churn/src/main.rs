//! `churn`: tests the pipeline with the failures of production, and counts what is lost.
//!
//! It starts members of one consumer group as processes and feeds them orders. At random instants
//! it stops or kills members, brokers and the database. Then it compares order ids: an independent
//! consumer reads every topic from the start, and the rows of the database are compared with them.
//! Logs are not part of the judgement.

// A command-line program.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod driver;
mod table;

mod arguments;

mod scenario;
mod scenarios;

mod stage;

mod exits;
mod judge;

mod member;
mod probe;

mod feeder;
mod reader;

mod broker;
mod database;

mod message;
mod program;

use std::process::ExitCode;

/// The exit code if a promise was broken.
const BROKEN: u8 = 1;
/// The exit code if churn itself failed.
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
