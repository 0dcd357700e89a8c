//! How the future of a task or cleanup ended, before it becomes an `Outcome`.

use task_core::{Outcome, Panic};

/// How a task's own future ended.
pub(crate) enum End {
    Completed,
    Cancelled,
    Failed(anyhow::Error),
    Panicked(Panic),
    Aborted,
    /// Unclean, and recorded already: the future ended while a hold was kept.
    Recorded(Outcome),
}

impl End {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Completed => Outcome::Completed,
            Self::Cancelled => Outcome::Cancelled,
            Self::Failed(_) => Outcome::Failed,
            Self::Panicked(_) => Outcome::Panicked,
            Self::Aborted => Outcome::Aborted,
            Self::Recorded(outcome) => *outcome,
        }
    }
}
