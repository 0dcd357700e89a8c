//! What can be asked for.

use std::path::PathBuf;

use clap::{
    CommandFactory as _, Parser, ValueEnum, builder::PossibleValuesParser, error::ErrorKind,
};

use crate::{scenario::Needs, scenarios::SCENARIOS};

/// Does to the pipeline whatever production does to a service, and counts what is lost: SIGTERM and SIGKILL at random
/// instants, members that come and go, brokers and databases that are away, slow or wrong, blocked threads.
///
/// Everything is judged by ids: an independent consumer reads all topics from the start and compares them, and the rows
/// of the database, with what was fed.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo xtask churn",
    after_help = "Exit codes: 0 every promise was kept; 1 one was broken; 2 bad arguments; 3 churn itself could not go on.\n\n\
                  What is left behind: the members' logs, below target/churn."
)]
pub(crate) struct Arguments {
    /// Makes the same choices as the run that printed this number; timing is never the same [default: random]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Only these scenarios; `--list` tells which there are [default: all that the broker can play]
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)),
        hide_possible_values = true,
    )]
    pub(crate) scenarios: Vec<String>,

    /// How often each is played [default: the scenario's own number]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: Option<u32>,

    /// A short selection, as `cargo xtask ci` plays it
    #[arg(long)]
    pub(crate) quick: bool,

    /// Lists the scenarios and ends
    #[arg(long)]
    pub(crate) list: bool,

    /// Which broker
    #[arg(long, value_enum, default_value_t = BrokerKind::Embedded)]
    pub(crate) broker: BrokerKind,

    /// Which database
    #[arg(long, value_enum, default_value_t = DatabaseKind::Sqlite)]
    pub(crate) database: DatabaseKind,

    /// Orders fed in a second, on average
    #[arg(
        long,
        value_name = "ORDERS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(10..=20_000),
    )]
    pub(crate) rate: u32,

    /// How many scenarios are played at once: most of their time they wait
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(1..=16),
    )]
    pub(crate) jobs: u8,

    /// The service [default: `pipeline` beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,

    /// Where logs, databases and what is installed go [default: target/churn]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

impl Arguments {
    /// Reads those of this process; ends it with code 2 if they are not good.
    pub(crate) fn of_process() -> Self {
        let arguments = Self::parse();
        let alone = SCENARIOS.iter().filter(|scenario| scenario.needs == Needs::Embedded);
        let is_named = |name| arguments.scenarios.iter().any(|scenario| scenario == name);
        if arguments.broker != BrokerKind::Embedded
            && let Some(scenario) = alone.into_iter().find(|scenario| is_named(scenario.name))
        {
            let message = format!("`{}` needs the embedded brokers", scenario.name);
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        arguments
    }
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrokerKind {
    /// librdkafka's mock cluster of three brokers, within churn: needs nothing.
    Embedded,
    /// A Kafka-compatible broker (Tansu 0.6) in a process of its own, installed from PyPI below target/: one member only.
    Separate,
}

/// Where rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseKind {
    /// A file: needs nothing.
    Sqlite,
    /// A server of its own for each scenario, on loopback: needs PostgreSQL (Debian: `apt-get install postgresql`).
    Postgres,
}
