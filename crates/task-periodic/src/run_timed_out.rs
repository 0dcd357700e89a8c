//! The error of a run that took too long.

use std::time::Duration;

/// The error of a run that took longer than its [`run_timeout`](crate::PeriodicTask::run_timeout).
///
/// The task returns it when such a run ends the task; `anyhow::Error::downcast_ref` finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("run took longer than {limit:?}")]
pub struct RunTimedOut {
    limit: Duration,
}

impl RunTimedOut {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit }
    }

    /// Returns how long the run was allowed to take.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}
