//! What a failed run means for the task.

/// What a failed run means for the task.
///
/// A run fails when it returns an error, panics, or exceeds its
/// [`run_timeout`](crate::PeriodicTask::run_timeout). A failure that does not end the task is
/// logged as an error, at most every 10 s, counted in the task's status, and followed by a
/// [`Backoff`](crate::Backoff).
///
/// By default it leaves the shutdown's report clean: a poll that failed once a month ago is no
/// reason for exit code 1. [`Record`](Self::Record) puts it into the report.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{OnFailure, PollTask};
/// # async fn renew_lease() -> anyhow::Result<()> { Ok(()) }
/// // Two failures in a row are tolerated; the third ends the task, and with it the group.
/// let lease = PollTask::new("lease", Duration::from_secs(10), async |_| renew_lease().await)?
///     .on_failure(OnFailure::FailAfter(3));
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The task continues, however often it fails, and the report stays clean. The default.
    #[default]
    Continue,
    /// The task continues, and each failure is [recorded](task_core::Context::record_failure): the
    /// report contains it and is not clean.
    Record,
    /// The first failed run ends the task, and with it the group.
    Fail,
    /// The task ends once this many runs in a row have failed. 0 and 1 are the same as
    /// [`Fail`](Self::Fail).
    FailAfter(u32),
}

impl OnFailure {
    /// Returns whether the task ends after `in_a_row` failed runs.
    pub(crate) fn ends_task(self, in_a_row: u32) -> bool {
        match self {
            Self::Continue | Self::Record => false,
            Self::Fail => true,
            Self::FailAfter(limit) => in_a_row >= limit,
        }
    }
}
