//! The errors: an invalid value, and why a task is not run again.

use std::time::Duration;

/// An invalid value, rejected by a constructor of this crate.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_restart::FailureLimit;
/// let error = FailureLimit::new(0, Duration::from_secs(60)).unwrap_err();
/// assert_eq!(error.to_string(), "failure limit of 0 is not from 1 to 1000");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RestartError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("failure limit of {0} is not from 1 to 1000")]
    Failures(usize),
    #[error("window of the failure limit is zero")]
    Window,
}

/// The error of a task that failed more often than its [`FailureLimit`](crate::FailureLimit)
/// allows.
///
/// Its source is the last failure. `anyhow::Error::downcast_ref` finds both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed {failures} times in {within:.1?} (first: {first})")]
pub struct TooManyFailures {
    failures: usize,
    within: Duration,
    first: String,
}

impl TooManyFailures {
    pub(crate) fn new(failures: usize, within: Duration, first: String) -> Self {
        Self { failures, within, first }
    }

    /// Returns how many failures there were within the limit's window.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Returns the time from the first to the last of them.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Returns the text of the first of them, at most 256 bytes of it.
    pub fn first(&self) -> &str {
        &self.first
    }
}

/// The error of a task of which a run has ended, but a thread of it, or whatever else keeps a
/// [`Hold`](task_core::Hold), has not. Another run beside it would not be safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {run} still holds a thread {waited:?} after it ended: {reason}")]
pub struct RunStillHeld {
    run: u64,
    waited: Duration,
    reason: String,
}

impl RunStillHeld {
    pub(crate) fn new(run: u64, waited: Duration, reason: String) -> Self {
        Self { run, waited, reason }
    }

    /// Returns the number of the run; the first is 1.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Returns how long the next run has waited for it.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
