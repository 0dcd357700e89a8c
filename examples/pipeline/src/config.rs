//! Everything that can be set: by flag, by environment variable, or in a TOML file, in this order of precedence.

mod database;
mod ending;
mod file;
mod generator;
mod kafka;
mod watching;

use std::path::PathBuf;

use clap::Parser;

pub use database::DatabaseConfig;
pub use ending::EndingConfig;
pub use file::parse;
pub use generator::GeneratorConfig;
pub use kafka::{KafkaConfig, KafkaSetting};
pub use watching::{LogFormat, WatchingConfig};

/// Reads orders from a Kafka topic, checks and enriches them, produces them to another topic, keeps them in a database
/// for a while, and shows what it does.
///
/// With no arguments it needs nothing: an embedded broker within the process, a SQLite file that it creates, and a
/// generator that makes orders. Give --brokers for a real cluster and --database-url for PostgreSQL.
///
/// SIGTERM or Ctrl-C ends it: what was consumed is produced, written and committed, then it leaves the group.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    args_override_self = true,
    after_help = "Durations take a unit: 500ms, 30s, 5m, 2h. Every flag can also be given as an environment variable \
                  (PIPELINE_ and its name) or in the file named by --config (its name without the dashes). A flag \
                  beats a variable, which beats the file.\n\n\
                  Exit codes: 0 clean, also after SIGTERM; 1 something failed; 2 bad arguments; 3 the setup failed; \
                  4 the shutdown took longer than its budget and a second; 128+n ended by force with signal n."
)]
pub struct Config {
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

    /// How the service ends.
    #[command(flatten)]
    pub ending: EndingConfig,

    /// How it shows what it does.
    #[command(flatten)]
    pub watching: WatchingConfig,
}
