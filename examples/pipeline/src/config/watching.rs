//! Settings of how the service shows what it does.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use humantime::parse_duration;

/// Settings of how the service shows what it does.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchingConfig {
    /// Where metrics and probes are served; port 0 takes a free one
    #[arg(
        long,
        env = "PIPELINE_HTTP_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090"
    )]
    pub http_address: SocketAddr,

    /// How often a line of progress is logged
    #[arg(
        long,
        env = "PIPELINE_SUMMARY_INTERVAL",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = parse_duration,
    )]
    pub summary_interval: Duration,

    /// How log lines look, on standard error
    #[arg(
        long,
        env = "PIPELINE_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t = LogFormat::Text,
    )]
    pub log_format: LogFormat,

    /// Which log lines there are, as in RUST_LOG: `debug`, or `info,pipeline=debug,librdkafka=warn`
    #[arg(long, env = "PIPELINE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
