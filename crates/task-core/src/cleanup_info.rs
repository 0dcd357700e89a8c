//! One cleanup at one instant.

use std::{borrow::Cow, time::Duration};

use crate::Outcome;

/// One cleanup at one instant. [`CleanupReport`](crate::CleanupReport) says how it ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanupInfo {
    /// The cleanup's name, which others may share.
    pub name: Cow<'static, str>,
    /// Its state.
    pub state: CleanupState,
    /// When it began, as time since the manager was created. `None` before that, and if it is not
    /// run at all.
    pub began_at: Option<Duration>,
    /// How long it took, or has taken so far.
    pub took: Duration,
    /// The time left until it is aborted, while it runs. `None` otherwise, and if there is no
    /// limit.
    pub remaining: Option<Duration>,
}

impl CleanupInfo {
    /// Creates the description of a cleanup that has not begun.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            state: CleanupState::Waiting,
            began_at: None,
            took: Duration::ZERO,
            remaining: None,
        }
    }
}

/// The state of a cleanup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CleanupState {
    /// It waits for the tasks, and for the cleanups that were registered after it.
    Waiting,
    /// It has begun.
    Running,
    /// It has ended, or was abandoned.
    Ended(Outcome),
    /// It was not run. A failure in the report says why.
    NotRun,
}

impl CleanupState {
    /// Returns the state's name in logs and metrics; after the end, that of the outcome.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ended(outcome) => outcome.as_str(),
            Self::NotRun => "not run",
        }
    }
}
