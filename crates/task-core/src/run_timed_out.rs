//! The error of a run that took too long.

use std::{error::Error, fmt, time::Duration};

/// The error of a run that took longer than it may, of a task that does its work in runs: a
/// periodic one, or one that is restarted.
///
/// A task that ends because of such a run returns it; `anyhow::Error::downcast_ref` finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunTimedOut {
    limit: Duration,
}

impl RunTimedOut {
    /// Creates the error of a run that may take as long as `limit`.
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }

    /// Returns how long the run was allowed to take.
    pub const fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for RunTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run took longer than {:?}", self.limit)
    }
}

impl Error for RunTimedOut {}
