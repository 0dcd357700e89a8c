//! What began a shutdown.

use std::{borrow::Cow, fmt, time::Duration};

use task_core::{Outcome, TaskId};

use crate::report::label::Repeated;

/// What began a shutdown, or would have, had another cause not been there first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cause {
    /// What happened.
    pub kind: CauseKind,
    /// When, as time since the manager was made.
    pub at: Duration,
}

/// The kinds of [`Cause`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CauseKind {
    /// A task ended and thereby stopped the group: a critical one in any way, an ephemeral one uncleanly, as does any
    /// where [only failures stop](crate::ManagerBuilder::only_failures_stop).
    TaskEnded {
        /// The task's name.
        task: String,
        /// Which admission it was.
        id: TaskId,
        /// How it ended.
        outcome: Outcome,
        /// Whether it had been asked to end, as by [`TaskHandle::stop`](crate::TaskHandle::stop).
        was_asked: bool,
    },
    /// Somebody called `stop` or `shutdown`.
    Stopped,
    /// A task asked for it, such as the signal task.
    RequestedBy {
        /// The task's name.
        task: String,
        /// Which admission it is.
        id: TaskId,
        /// Its reason.
        reason: Cow<'static, str>,
    },
    /// The parent token was cancelled, or the manager that this one is a task of drained or stopped it.
    Parent,
    /// The manager was dropped.
    Dropped,
    /// The service failed to set up.
    SetupFailed,
    /// The group was not ready within the start timeout.
    StartTimeout,
    /// All the work was done.
    Completed,
}

impl CauseKind {
    pub(crate) fn task_ended(task: &str, id: TaskId, outcome: Outcome, was_asked: bool) -> Self {
        Self::TaskEnded { task: String::from(task), id, outcome, was_asked }
    }

    pub(crate) fn requested_by(task: &str, id: TaskId, reason: Cow<'static, str>) -> Self {
        Self::RequestedBy { task: String::from(task), id, reason }
    }

    /// Returns the text of the cause, with repeated names told apart.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        match self {
            Self::TaskEnded { task, id, outcome, .. } => {
                format!("task `{}` {outcome}", repeated.label(task, Some(*id)))
            }
            Self::RequestedBy { task, id, reason } => {
                format!("{reason} (task `{}`)", repeated.label(task, Some(*id)))
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TaskEnded { task, outcome, .. } => write!(f, "task `{task}` {outcome}"),
            Self::Stopped => f.write_str("stop was called"),
            Self::RequestedBy { task, reason, .. } => write!(f, "{reason} (task `{task}`)"),
            Self::Parent => f.write_str("the parent was stopped"),
            Self::Dropped => f.write_str("the manager was dropped"),
            Self::SetupFailed => f.write_str("the setup failed"),
            Self::StartTimeout => f.write_str("the group was not ready in time"),
            Self::Completed => f.write_str("all work is done"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}
