//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, builder::PossibleValuesParser, error::ErrorKind};

use crate::{
    broker::{BrokerKind, Brokers},
    database::DatabaseKind,
    scenarios::SCENARIOS,
};

/// Tests the pipeline with the failures of production, and counts what is lost: SIGTERM and SIGKILL
/// at random instants, members that join and leave, brokers and databases that are unavailable,
/// slow or failing, blocked threads.
///
/// The results are compared by order id: an independent consumer reads all topics from the start
/// and compares them, and the rows of the database, with the orders that were fed.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo xtask churn",
    after_help = "Exit codes: 0 every promise was kept; 1 one was broken; 2 bad arguments; \
                  3 churn itself failed.\n\n\
                  The logs of the members stay below target/churn."
)]
pub(crate) struct Arguments {
    /// Repeats the choices of the run that printed this number, though not its timing [default:
    /// random]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Plays only these scenarios; see `--list` [default: all that the broker supports]
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)),
        hide_possible_values = true,
    )]
    pub(crate) scenarios: Vec<String>,

    /// Rounds of each scenario [default: the number of the scenario]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: Option<u32>,

    /// Plays a short selection, as `cargo xtask ci` does
    #[arg(long)]
    pub(crate) quick: bool,

    /// Lists the scenarios and exits
    #[arg(long)]
    pub(crate) list: bool,

    /// The broker
    #[arg(long, value_enum, default_value_t = BrokerKind::Embedded)]
    pub(crate) broker: BrokerKind,

    /// The nodes of Apache Kafka
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = nodes)]
    pub(crate) nodes: u8,

    /// Members produce in transactions: each has an id, which its successor takes over
    #[arg(long)]
    pub(crate) transactions: bool,

    /// Orders that a member enriches at once
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=10_000),
    )]
    pub(crate) concurrency: u16,

    /// The database
    #[arg(long, value_enum, default_value_t = DatabaseKind::Sqlite)]
    pub(crate) database: DatabaseKind,

    /// Orders per second, on average
    #[arg(
        long,
        value_name = "ORDERS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(10..=20_000),
    )]
    pub(crate) rate: u32,

    /// Scenarios that are played at once; most of the time they wait
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

    /// The folder of logs, databases and installed tools [default: target/churn]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

impl Arguments {
    /// Parses the arguments of this process; exits with code 2 if they are invalid.
    pub(crate) fn of_process() -> Self {
        let arguments = Self::parse();
        let is_named = |name| arguments.scenarios.iter().any(|scenario| scenario == name);
        let mut named = SCENARIOS.iter().filter(|scenario| is_named(scenario.name));
        if let Some(scenario) =
            named.find(|scenario| !scenario.needs.are_met_by(arguments.brokers()))
        {
            let message = format!("`{}` needs {}", scenario.name, scenario.needs.about());
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        arguments
    }

    pub(crate) fn brokers(&self) -> Brokers {
        Brokers { kind: self.broker, nodes: self.nodes }
    }
}

/// Parses the number of nodes.
pub(crate) fn nodes(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err(String::from("1 or 3")),
    }
}
