//! The settings, by flag, environment variable or TOML file, in this order of precedence.

mod database;
mod ending;
mod file;
mod generator;
mod kafka;
mod watching;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use database::DatabaseConfig;
pub use ending::{EndingConfig, PlatformName};
pub use file::parse;
pub use generator::GeneratorConfig;
pub use kafka::{KafkaConfig, KafkaSetting};
pub use watching::{LogFormat, WatchingConfig};

/// Reads orders from a Kafka topic, checks and enriches them, produces them to another topic,
/// stores them in a database for a limited time, and serves metrics and probes.
///
/// Without arguments it needs no other service: it starts an embedded broker in the process,
/// creates a SQLite file and generates orders. --brokers selects a real cluster, --database-url
/// PostgreSQL.
///
/// SIGTERM or Ctrl-C stops it: it produces, writes and commits what it has consumed, and then
/// leaves the group.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    args_override_self = true,
    after_help = "Durations take a unit: 500ms, 30s, 5m, 2h. Every flag can also be given as an \
                  environment variable (PIPELINE_ and its name) or in the file named by --config \
                  (its name without the dashes). A flag overrides a variable, and a variable \
                  overrides the file.\n\n\
                  Exit codes: 0 clean, also after SIGTERM; 1 something failed; 2 bad arguments; \
                  3 the setup failed; 4 the shutdown exceeded its budget by a second; 128+n forced \
                  by signal n."
)]
pub struct Config {
    /// What to do instead of running the service.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// A TOML file with any of these settings, such as `rate = 50` or `brokers = "kafka:9092"`
    #[arg(long, env = "PIPELINE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The cluster, the group and the topics.
    #[command(flatten)]
    pub kafka: KafkaConfig,

    /// The database and its purge.
    #[command(flatten)]
    pub database: DatabaseConfig,

    /// The generator of orders.
    #[command(flatten)]
    pub generator: GeneratorConfig,

    /// When the service stops, and how long that takes.
    #[command(flatten)]
    pub ending: EndingConfig,

    /// Metrics, probes and the log.
    #[command(flatten)]
    pub watching: WatchingConfig,
}

/// What to do instead of running the service.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Probes the service that runs here with the same settings: exits with 0 if it passes, and
    /// with 1 and the reasons if it does not
    Probe {
        /// The path to ask for
        #[arg(default_value = "/readyz")]
        path: String,
    },
    /// Prints the unit for systemd, with the numbers of these settings: save it as
    /// /etc/systemd/system/pipeline.service
    Unit {
        /// The path at which the program is installed
        #[arg(default_value = "/usr/local/bin/pipeline")]
        program: String,
    },
    /// Prints the manifest for Kubernetes, with the numbers of these settings; brokers and database
    /// are for the Secret `pipeline`, as PIPELINE_BROKERS and PIPELINE_DATABASE_URL
    Manifest {
        /// The image
        #[arg(default_value = "pipeline:latest")]
        image: String,
        /// The path of the program in the image
        #[arg(default_value = "/pipeline")]
        program: String,
        /// Check this file instead, or `-` for standard input: one line for each finding, and exit
        /// code 1 if one is an error
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
}
