//! What a failed run means for the task.

/// What a failed run means for the task. A run fails when it returns an error, panics, or exceeds its
/// [`run_timeout`](crate::PeriodicTask::run_timeout).
///
/// A failure that the task survives is logged as an error, at most every 10 s, counted in its status, and followed by a
/// [`Backoff`](crate::Backoff). Whether it also makes the shutdown's report unclean is the choice here; by default it does
/// not: a poll that failed once a month ago is no reason for exit code 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The task goes on, however often it fails, and the report stays clean. The default.
    #[default]
    Continue,
    /// The task goes on, and each failure is [recorded](task_core::Context::record_failure): the report has it and is
    /// not clean.
    Record,
    /// The task fails with its first failed run, and with it the group.
    Fail,
    /// The task fails once this many runs in a row have failed. 0 and 1 are the same as [`Fail`](Self::Fail).
    FailAfter(u32),
}

impl OnFailure {
    /// Tells whether the task fails after so many failed runs in a row.
    pub(crate) fn gives_up(self, in_a_row: u32) -> bool {
        match self {
            Self::Continue | Self::Record => false,
            Self::Fail => true,
            Self::FailAfter(limit) => in_a_row >= limit,
        }
    }
}
