//! What a failed run means for the task.

/// What a failed run means for the task. A run fails when it returns an error, panics, or exceeds its
/// [`RunTimeout`](crate::RunTimeout).
///
/// A failure that the task survives is logged, counted in its status, and followed by a [`Backoff`](crate::Backoff).
/// It is *not* put into the shutdown's report, which stays clean: a poll that failed once a month ago is no reason for
/// exit code 1. An action that thinks otherwise calls
/// [`ctx.record_failure(…)`](task_core::Context::record_failure) itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The task goes on, however often it fails. The default.
    #[default]
    Continue,
    /// The task fails with its first failed run, and with it the group.
    Fail,
    /// The task fails once this many runs in a row have failed. 0 and 1 are the same as [`Fail`](Self::Fail).
    FailAfter(u32),
}

impl OnFailure {
    /// Tells whether the task fails after so many failed runs in a row.
    pub(crate) fn gives_up(self, in_a_row: u32) -> bool {
        match self {
            Self::Continue => false,
            Self::Fail => true,
            Self::FailAfter(limit) => in_a_row >= limit,
        }
    }
}
