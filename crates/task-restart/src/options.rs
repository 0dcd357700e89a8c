//! The options of a restarting task, as its setters set them.

use std::time::Duration;

use task_core::{Backoff, Timeout};

use crate::{FailureLimit, Restart};

pub(crate) type FatalIf = Box<dyn Fn(&anyhow::Error) -> bool + Send>;

/// What the setters set.
pub(crate) struct Options {
    pub(crate) on: Restart,
    pub(crate) backoff: Backoff,
    pub(crate) limit: FailureLimit,
    pub(crate) stable_after: Duration,
    pub(crate) fatal_if: Option<FatalIf>,
    pub(crate) run_timeout: Timeout,
    pub(crate) run_stop_timeout: Duration,
    pub(crate) keep_ready_for: Duration,
    pub(crate) seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            on: Restart::default(),
            backoff: Backoff::default(),
            limit: FailureLimit::default(),
            stable_after: Duration::from_secs(60),
            fatal_if: None,
            run_timeout: Timeout::Never,
            run_stop_timeout: Duration::from_secs(10),
            keep_ready_for: Duration::ZERO,
            seed: None,
        }
    }
}
