//! Settings of the stop.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use humantime::parse_duration;
use taskkit::service::Platform;

use crate::fault::Fault;

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

    /// Where the service runs, which sets the shutdown budget and the drain delay unless they are
    /// set
    #[arg(long, env = "PIPELINE_PLATFORM", value_name = "PLATFORM", value_enum)]
    pub platform: Option<PlatformName>,

    /// How long the whole shutdown may take [default: 25s, or what the platform grants]
    #[arg(
        long,
        env = "PIPELINE_SHUTDOWN_BUDGET",
        value_name = "DURATION",
        value_parser = parse_duration,
    )]
    pub shutdown_budget: Option<Duration>,

    /// How long the service still works after a signal, while it is not ready: on Kubernetes 5s to
    /// 15s [default: 0s, or as the platform needs]
    #[arg(
        long,
        env = "PIPELINE_DRAIN_DELAY",
        value_name = "DURATION",
        value_parser = parse_duration,
    )]
    pub drain_delay: Option<Duration>,

    /// Write why the service ended to this file [default: /dev/termination-log on Kubernetes]
    #[arg(long, env = "PIPELINE_TERMINATION_LOG", value_name = "FILE")]
    pub termination_log: Option<PathBuf>,

    /// Do something wrong, to see how the service ends
    #[arg(long, env = "PIPELINE_FAULT", value_name = "FAULT", value_enum, hide = true)]
    pub fault: Option<Fault>,
}

/// Where the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlatformName {
    /// What the environment says.
    Detect,
    /// A pod.
    Kubernetes,
    /// Google's.
    CloudRun,
    /// HashiCorp's.
    Nomad,
    /// Fly.io.
    Fly,
    /// Amazon's.
    Ecs,
    /// A unit.
    Systemd,
    /// `docker stop`, Compose.
    Docker,
}

impl PlatformName {
    /// Returns the platform; `None` if the environment names none.
    pub fn platform(self) -> Option<Platform> {
        match self {
            Self::Detect => Platform::detect(),
            Self::Kubernetes => Some(Platform::kubernetes()),
            Self::CloudRun => Some(Platform::cloud_run()),
            Self::Nomad => Some(Platform::nomad()),
            Self::Fly => Some(Platform::fly()),
            Self::Ecs => Some(Platform::ecs()),
            Self::Systemd => Some(Platform::systemd()),
            Self::Docker => Some(Platform::docker()),
        }
    }
}
