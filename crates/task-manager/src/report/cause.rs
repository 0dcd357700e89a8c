//! What began a shutdown.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use task_core::scope::guarded_text;
use task_core::{Outcome, TaskId};

use super::Repeated;

/// What began a shutdown, or would have begun it, had it not begun already.
///
/// [`Report::cause`](crate::Report::cause) is the first,
/// [`Report::later_triggers`](crate::Report::later_triggers) has the others. `Display` is the text
/// that the log and the report show, such as ``task `consumer` failed``.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cause {
    /// What happened.
    pub kind: CauseKind,
    /// When it happened, as time since the manager was made.
    pub at: Duration,
}

/// The kinds of [`Cause`].
///
/// # Examples
///
/// ```
/// use task_manager::{CauseKind, Manager, Outcome, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.run(task_fn("import", async |_| Ok(())))?;
/// let report = manager.wait().await?;
/// match &report.cause().kind {
///     CauseKind::TaskEnded { task, outcome, .. } => {
///         assert_eq!((task.as_str(), *outcome), ("import", Outcome::Completed));
///     }
///     other => panic!("{other}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CauseKind {
    /// A task ended, and its end stopped the group: any end of a critical task, or an unclean end
    /// of an ephemeral one. Where [only failures stop](crate::ManagerBuilder::only_failures_stop),
    /// it is an unclean end in either case.
    TaskEnded {
        /// The task's name.
        task: String,
        /// The task's number within its group.
        id: TaskId,
        /// How it ended.
        outcome: Outcome,
        /// Whether it had been requested to end, as by
        /// [`TaskHandle::stop`](crate::TaskHandle::stop).
        was_asked: bool,
    },
    /// `stop` or `shutdown` was called on the manager, or `stop` on a handle.
    Stopped,
    /// A task requested it with [`Context::request_stop`](task_core::Context::request_stop), or
    /// with [`Context::escalate`](task_core::Context::escalate), whose reason is
    /// `shutdown escalated`.
    RequestedBy {
        /// The task's name.
        task: String,
        /// The task's number within its group.
        id: TaskId,
        /// The reason that the task gave.
        reason: Cow<'static, str>,
    },
    /// The parent token was cancelled, or the outer group of this nested one drained or stopped.
    Parent,
    /// The manager was dropped before its group had ended.
    Dropped,
    /// The service could not be set up: [`Manager::setup_failed`](crate::Manager::setup_failed).
    SetupFailed,
    /// The group was not ready within its [`start_timeout`](crate::ManagerBuilder::start_timeout).
    StartTimeout,
    /// All work was done: only support tasks were left, or no task.
    Completed,
}

impl CauseKind {
    /// Returns whether it is the clean end of a critical task, which nothing asked to end.
    pub(crate) fn is_unasked_end(&self) -> bool {
        match self {
            Self::TaskEnded { outcome, was_asked, .. } => !was_asked && outcome.is_clean(),
            _ => false,
        }
    }

    /// Returns whether it is a failure, and so among those of the report, or counted there.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::TaskEnded { outcome, .. } => !outcome.is_clean(),
            Self::SetupFailed | Self::StartTimeout => true,
            Self::Stopped
            | Self::RequestedBy { .. }
            | Self::Parent
            | Self::Dropped
            | Self::Completed => false,
        }
    }

    /// Returns the text, with the id behind a name that several tasks had.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        match self {
            Self::TaskEnded { task, id, outcome, .. } => {
                format!("task `{}` {outcome}", repeated.label(task, Some(*id)))
            }
            Self::RequestedBy { task, id, reason } => {
                let reason = guarded_text(reason);
                format!("{reason} (task `{}`)", repeated.label(task, Some(*id)))
            }
            Self::Stopped => "stop was called".into(),
            Self::Parent => "the parent was stopped".into(),
            Self::Dropped => "the manager was dropped".into(),
            Self::SetupFailed => "the setup failed".into(),
            Self::StartTimeout => "the group was not ready in time".into(),
            Self::Completed => "all work is done".into(),
        }
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&Repeated::default()))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}
