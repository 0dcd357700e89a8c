//! Settings of the stop.

use std::time::Duration;

use clap::Args;
use humantime::parse_duration;

/// Settings of the stop: when the service stops by itself, and how long a shutdown takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Ending")]
pub struct EndingConfig {
    /// Generate this many orders, and stop when as many messages are settled
    #[arg(long, env = "PIPELINE_MAX_EVENTS", value_name = "ORDERS")]
    pub max_events: Option<u64>,

    /// Stop after this time
    #[arg(
        long,
        env = "PIPELINE_RUN_FOR",
        value_name = "DURATION",
        value_parser = parse_duration,
    )]
    pub run_for: Option<Duration>,

    /// How long the whole shutdown may take
    #[arg(
        long,
        env = "PIPELINE_SHUTDOWN_BUDGET",
        value_name = "DURATION",
        default_value = "25s",
        value_parser = parse_duration,
    )]
    pub shutdown_budget: Duration,

    /// How long the service still works after a signal, while it is not ready: on Kubernetes 5s to
    /// 15s
    #[arg(
        long,
        env = "PIPELINE_DRAIN_DELAY",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = parse_duration,
    )]
    pub drain_delay: Duration,
}
