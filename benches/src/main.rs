//! The benchmarks: what a task costs under each contestant, side by side.
//!
//! Every measurement is a new process of this program, because the first pass of a process is what
//! a service experiences. Contestants take turns round by round, because the load of a machine
//! varies. The result is the ratio to the reference in the same round: a bare `JoinSet` with a
//! shared `CancellationToken`.
//!
//! `against` compares two builds of `task-manager` instead, that of this checkout and that of
//! another: `cargo xtask bench --against FOLDER`.

// This program prints to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod against;
mod children;
mod cost;
mod driver;
mod http;
mod outside;
mod plot;
mod restarts;
mod serve;
mod table;
mod targets;
mod waiters;

mod child;
mod contestants;
mod load;
mod programs;
mod server;

mod contestant;
mod gate;
mod gauge;
mod laps;
mod scenario;
mod series;

mod median;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, rest)) if first == child::COMMAND => child::run(rest),
        Some((first, rest)) if first == against::COMMAND => against::run(rest),
        Some((first, rest)) if first == http::COMMAND => http::run(rest),
        Some((first, rest)) if first == serve::COMMAND => serve::run(rest),
        Some((first, rest)) if first == server::COMMAND => serve::serve(rest),
        Some((first, rest)) if first == programs::COMMAND => return programs::run(rest),
        _ => driver::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}
