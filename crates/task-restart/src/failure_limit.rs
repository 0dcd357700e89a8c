//! How many failures within which time are too many.

use std::time::Duration;

use crate::error::{Kind, RestartError};

/// How many failures a task may survive within some time. The next one ends it, and with it the
/// group.
///
/// It counts the failures of a sliding window: in any stretch of time of that length, at most that
/// many are survived. A failure that is older counts no more, so a task that ran well for long
/// starts with a clean record.
///
/// # The default
///
/// 30 failures within an hour. With the default back-off, a task that fails at once each time ends
/// 12 to 25 minutes after its first failure, so brokers may be away for ten minutes; a task that
/// runs for two minutes and then fails, over and over, ends after about an hour.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_restart::FailureLimit;
///
/// let limit = FailureLimit::new(5, Duration::from_secs(600))?;
/// # Ok::<_, task_restart::RestartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FailureLimit {
    most: usize,
    within: Duration,
}

impl FailureLimit {
    /// No limit: the task is restarted for ever, and only its readiness, its metrics and the log
    /// show that it fails.
    pub const NONE: Self = Self { most: usize::MAX, within: Duration::ZERO };

    const MOST: usize = 1_000;

    /// Creates a limit of `failures` that are survived `within` some time.
    ///
    /// # Errors
    ///
    /// Fails if one of the two is zero, or if `failures` is more than 1,000.
    pub fn new(failures: usize, within: Duration) -> Result<Self, RestartError> {
        if failures == 0 || failures > Self::MOST {
            return Err(Kind::Failures(failures).into());
        }
        if within.is_zero() {
            return Err(Kind::Window.into());
        }
        Ok(Self { most: failures, within })
    }

    pub(crate) fn most(self) -> usize {
        self.most
    }

    pub(crate) fn within(self) -> Duration {
        self.within
    }
}

impl Default for FailureLimit {
    /// Returns a limit of 30 failures within an hour.
    fn default() -> Self {
        Self { most: 30, within: Duration::from_secs(3600) }
    }
}
