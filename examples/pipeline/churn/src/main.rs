//! `churn`: tests the pipeline with the failures of production, and counts what is lost.
//!
//! It starts members of one consumer group as processes and feeds them orders. At random instants
//! it stops or kills members, brokers and the database. Then it compares order ids: an independent
//! consumer reads every topic from the start, and the rows of the database are compared with them.
//! Logs are not part of the judgement.
//!
//! With `kafka` as its first argument it starts and ends Apache Kafka for other programs.

// A command-line program.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod driver;
mod table;

mod standing;

mod arguments;

mod scenario;
mod scenarios;

mod stage;

mod exits;
mod judge;

mod member;
mod probe;

mod feeder;
mod watcher;

mod reader;

mod broker;
mod database;

mod message;
mod program;

use std::{env, process::ExitCode};

/// The exit code if a promise was broken.
const BROKEN: u8 = 1;
/// The exit code if churn itself failed.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let kept = if env::args().nth(1).is_some_and(|first| first == standing::NAME) {
        driver::target()
            .and_then(|target| standing::run(&target.join("churn"), env::args().skip(1)))
            .map(|()| true)
    } else {
        driver::run(&arguments::Arguments::of_process())
    };
    match kept {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("churn: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
