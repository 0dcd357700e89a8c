//! How one task ended.

use std::fmt;

/// How one task ended. The error of a failure is in the report.
///
/// # Examples
///
/// ```
/// use task_core::Outcome;
///
/// assert!(Outcome::Cancelled.is_clean() && !Outcome::Aborted.is_clean());
/// assert_eq!(Outcome::Abandoned.to_string(), "abandoned");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It returned `Ok(())`, whether it was asked to stop or not.
    Completed,
    /// It was asked to stop and returned [`Cancelled`](crate::Cancelled). This is a clean end.
    Cancelled,
    /// It returned an error.
    Failed,
    /// It panicked: when polled, or when its future was dropped.
    Panicked,
    /// Its future was dropped before it had ended: at its deadline, or because its runtime was shut
    /// down.
    Aborted,
    /// It was still alive after its abort, and the shutdown went on without it. It may still be
    /// running.
    Abandoned,
}

impl Outcome {
    /// Every outcome, in the order in which they are declared.
    pub const ALL: [Self; 6] = [
        Self::Completed,
        Self::Cancelled,
        Self::Failed,
        Self::Panicked,
        Self::Aborted,
        Self::Abandoned,
    ];

    /// Returns whether nothing went wrong: completed or cancelled.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    /// Returns the outcome's name in logs, metrics and the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Aborted => "aborted",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
