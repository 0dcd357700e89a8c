//! How long one run may take.

use std::time::Duration;

/// How long one run may take.
///
/// A run that takes longer is dropped at the await where it stands, and has failed with [`RunTimedOut`]. A result that
/// is ready at that instant counts. A run that blocks its thread is seen only when it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunTimeout {
    /// As long as it wants. The default: what a run must do whole is not cut in half unless somebody asked for it. A
    /// run on a clock that overstays its tick is warned about in the log, if it takes a second or more.
    #[default]
    Never,
    /// This long. After zero, a run is polled once.
    After(Duration),
}

/// The error of a run that took longer than its [`RunTimeout`].
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
