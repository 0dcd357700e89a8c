//! Settings of the database and its purge.

use std::time::Duration;

use clap::Args;
use humantime::parse_duration;

use crate::database::DatabaseUrl;

/// Settings of the database and its purge.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "PIPELINE_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://pipeline.db",
        hide_env_values = true
    )]
    pub database_url: DatabaseUrl,

    /// How long rows are kept
    #[arg(
        long,
        env = "PIPELINE_RETENTION",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = parse_duration,
    )]
    pub retention: Duration,

    /// How often rows older than that are deleted
    #[arg(
        long,
        env = "PIPELINE_PURGE_INTERVAL",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = parse_duration,
    )]
    pub purge_interval: Duration,

    /// Maximum number of rows that one statement of the purge deletes; a stop ends the purge
    /// between statements
    #[arg(
        long,
        env = "PIPELINE_PURGE_BATCH",
        value_name = "ROWS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
    )]
    pub purge_batch: u32,
}
