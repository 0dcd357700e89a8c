//! Settings of metrics, probes and the log.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use humantime::parse_duration;

/// Settings of metrics, probes and the log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchingConfig {
    /// The address of metrics and probes; port 0 selects a free port
    #[arg(
        long,
        env = "PIPELINE_HTTP_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090"
    )]
    pub http_address: SocketAddr,

    /// How often progress is logged
    #[arg(
        long,
        env = "PIPELINE_SUMMARY_INTERVAL",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = parse_duration,
    )]
    pub summary_interval: Duration,

    /// Format of the log, on standard error
    #[arg(
        long,
        env = "PIPELINE_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t = LogFormat::Text,
    )]
    pub log_format: LogFormat,

    /// Filter of the log, as in RUST_LOG: `debug`, or `info,pipeline=debug,librdkafka=warn`
    #[arg(long, env = "PIPELINE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// Formats of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}
