//! Settings of how the service ends.

use std::time::Duration;

use clap::Args;
use humantime::parse_duration;

/// Settings of how the service ends.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Ending")]
pub struct EndingConfig {
    /// Make this many orders, consume as many messages, and end
    #[arg(long, env = "PIPELINE_MAX_EVENTS", value_name = "ORDERS")]
    pub max_events: Option<u64>,

    /// End after this time
    #[arg(
        long,
        env = "PIPELINE_RUN_FOR",
        value_name = "DURATION",
        value_parser = parse_duration,
    )]
    pub run_for: Option<Duration>,

    /// How long the shutdown may take in all
    #[arg(
        long,
        env = "PIPELINE_SHUTDOWN_BUDGET",
        value_name = "DURATION",
        default_value = "25s",
        value_parser = parse_duration,
    )]
    pub shutdown_budget: Duration,

    /// How long the service goes on working after a signal, already not ready: on Kubernetes 5s to 15s
    #[arg(
        long,
        env = "PIPELINE_DRAIN_DELAY",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = parse_duration,
    )]
    pub drain_delay: Duration,
}
