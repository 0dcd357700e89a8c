//! One cleanup at one instant.

use std::{borrow::Cow, time::Duration};

use crate::Outcome;

/// One cleanup at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanupInfo {
    /// Its name, which others may share.
    pub name: Cow<'static, str>,
    /// How far it is.
    pub state: CleanupState,
    /// When it began, as time since the manager was made; `None` before, and if it is not run at all.
    pub began_at: Option<Duration>,
    /// How long it took, or has taken so far.
    pub took: Duration,
}

impl CleanupInfo {
    /// Makes the description of a cleanup that has not begun.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            state: CleanupState::Waiting,
            began_at: None,
            took: Duration::ZERO,
        }
    }
}

/// How far a cleanup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CleanupState {
    /// It runs after the tasks, and after those that were registered later.
    Waiting,
    /// It has begun.
    Running,
    /// It is over, or was given up.
    Ended(Outcome),
    /// It was not run, and a failure in the report says why.
    NotRun,
}

impl CleanupState {
    /// Returns the word used in logs and metrics; of one that is over, that of its outcome.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ended(outcome) => outcome.as_str(),
            Self::NotRun => "not run",
        }
    }
}
