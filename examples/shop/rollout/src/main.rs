//! `rollout`: stops and replaces servers under load, and counts what their clients lose.
//!
//! It starts servers as processes, and clients that behave as those of production do: they keep
//! connections and pause between requests, and some of them look at a connection before they use it
//! again. A load balancer learns late that a server stops. What each request came to is counted
//! where it was sent; for a `POST` the servers' record is compared with that.

// A command-line program.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod driver;
mod table;

mod arguments;

mod scenario;
mod scenarios;

mod fleet;
mod load;
mod proxy;

mod client;
mod ledger;

mod balancer;
mod outcome;
mod process;

mod server;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code if a promise was broken.
const BROKEN: u8 = 1;
/// The exit code if the harness itself failed.
const FAILED: u8 = 3;
/// The exit code if a signal ended the run.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::of_process();
    if let Some(Command::Server(settings)) = &arguments.command {
        return server::run(settings);
    }
    match run(&arguments) {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(Some(false)) => ExitCode::from(BROKEN),
        Ok(None) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("rollout: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Plays the scenarios. A signal drops them, and with them the servers, which are killed then.
///
/// Returns whether every promise was kept, or nothing after a signal.
fn run(arguments: &Arguments) -> anyhow::Result<Option<bool>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            kept = driver::run(arguments) => kept.map(Some),
            _ = interrupt.recv() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    })
}
