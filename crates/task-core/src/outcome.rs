//! How one task ended.

use std::fmt;

/// How one task ended. What it failed with is in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It returned `Ok(())`, asked to stop or not.
    Completed,
    /// It was asked to stop and returned [`Cancelled`](crate::Cancelled). Clean.
    Cancelled,
    /// It returned an error.
    Failed,
    /// It panicked: when polled, or when its future was dropped.
    Panicked,
    /// Its future was dropped before it had ended: at its deadline, or because its runtime went away.
    Aborted,
    /// It was still alive when the shutdown had to go on without it.
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

    /// Tells whether nothing went wrong: completed or cancelled.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    /// Returns the word used in logs, metrics and the report.
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
