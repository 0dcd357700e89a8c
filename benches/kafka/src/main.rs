//! Consume, transform, produce: the speed of `KafkaTask` beside the same loop written by hand; with
//! `parallel`, that of many transforms at once that take 10 ms each.
//!
//! The broker is librdkafka's mock cluster in a separate process. Every measurement is a new
//! process, and the contestants alternate, because the load of a machine varies; the result is the
//! ratio within a round.

// A program for the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod broker;
mod by_hand;
mod by_task;
mod contest;
mod lap;
mod load;
mod parallel;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kafka bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => contest::run(7),
        ["--quick"] => contest::run(3),
        ["parallel"] => parallel::run(3),
        ["parallel", "--quick"] => parallel::run(1),
        ["broker"] => broker::serve(),
        [parallel::BY_HAND, brokers, group, at_once] => {
            parallel::by_hand::run(brokers, group, at_once.parse()?)
        }
        [parallel::BY_TASK, brokers, group, at_once] => {
            parallel::by_task::run(brokers, group, at_once.parse()?)
        }
        [contest::BY_HAND, brokers, group] => by_hand::run(brokers, group),
        [contest::BY_TASK, brokers, group] => by_task::run(brokers, group),
        _ => bail!("usage: cargo xtask bench kafka [parallel] [--quick]"),
    }
}
