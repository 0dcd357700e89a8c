//! The command line.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, builder::PossibleValuesParser};

use crate::{scenarios::SCENARIOS, server};

const PAUSES: [Duration; 2] = [Duration::from_millis(3), Duration::from_millis(200)];
const DRAIN: Duration = Duration::from_millis(500);
/// Twice the least time for which `ServeTask` keeps a connection after an answer, so that a client
/// that is not asked to close loses a request.
const QUICK_PAUSE: Duration = Duration::from_millis(1000);
const QUICK_DRAIN: Duration = Duration::from_millis(1300);

/// Stops and replaces servers under load, and counts what their clients lose.
///
/// A server is sent SIGTERM while clients of several kinds use it, and a balancer that dials it for
/// them learns of that late. Beside `ServeTask`, plain axum, hyper-util's `GracefulShutdown` and
/// tonic are stopped in the same way, without a drain and with one: a plain server then sleeps for
/// that time before its graceful shutdown, and is not ready.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo xtask rollout",
    after_help = "Exit codes: 0 every promise was kept; 1 one was broken; 2 bad arguments; \
                  3 the harness itself failed; 130 it was interrupted.\n\n\
                  The logs of the servers stay below target/rollout."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Plays a short selection, as `cargo xtask ci` does
    #[arg(long)]
    pub(crate) quick: bool,

    /// Lists the scenarios and exits
    #[arg(long)]
    pub(crate) list: bool,

    /// Plays only these scenarios; see `--list`
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)),
        hide_possible_values = true,
    )]
    pub(crate) scenarios: Vec<String>,

    /// The servers under test [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    pub(crate) servers: Vec<server::Kind>,

    /// Stops of a scenario, or rolling restarts [default: 50 stops, 20 restarts]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rounds: Option<NonZeroU32>,

    /// The clients of each kind
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) clients: u32,

    /// The longest pauses of clients between two requests, in milliseconds [default: 3 and 200;
    /// with `--quick` 1000]
    #[arg(long, value_name = "MILLISECONDS", value_delimiter = ',')]
    pauses: Vec<u64>,

    /// The drain, in milliseconds; each server is also stopped without one [default: 500; with
    /// `--quick` 1300]
    #[arg(long, value_name = "MILLISECONDS")]
    drain: Option<u64>,

    /// The time after which the balancer learns of a stop, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 30)]
    pub(crate) delay: u64,

    /// Writes the results as JSON, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Fails where a proxy is not installed, instead of skipping what needs it
    #[arg(long)]
    pub(crate) require_proxies: bool,

    /// The folder of logs [default: target/rollout]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one server under test, until SIGTERM
    Server(server::Settings),
}

impl Arguments {
    /// Parses the arguments of this process; exits with code 2 if they are invalid.
    pub(crate) fn of_process() -> Self {
        Self::parse()
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay)
    }

    pub(crate) fn drain(&self) -> Duration {
        let default = if self.quick { QUICK_DRAIN } else { DRAIN };
        self.drain.map_or(default, Duration::from_millis)
    }

    pub(crate) fn pauses(&self) -> Vec<Duration> {
        match self.pauses.as_slice() {
            [] if self.quick => vec![QUICK_PAUSE],
            [] => PAUSES.to_vec(),
            pauses => pauses.iter().copied().map(Duration::from_millis).collect(),
        }
    }
}
