//! Why a group does not become ready.

use std::error::Error;
use std::fmt;

use task_core::scope::guarded_name;
use task_core::{Outcome, Step};

/// Why the [`ready`](crate::Manager::ready) of a group, or of [one task](crate::TaskHandle::ready),
/// will not succeed any more.
///
/// Either a task has ended, and [`task`](Self::task) is its name: one that gates the group's
/// readiness, or the one that was waited for. Or the group is shutting down.
///
/// # Examples
///
/// ```
/// use task_manager::Manager;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.shutdown().await?;
/// let error = manager.ready().await.unwrap_err();
/// assert_eq!(error.to_string(), "the group is shutting down (ended)");
/// assert!(error.task().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NotReadyError(pub(crate) NotReady);

#[derive(Clone, Debug)]
pub(crate) enum NotReady {
    TaskEnded(String, Outcome),
    Ended(String, Outcome),
    ShuttingDown(Step),
}

impl fmt::Display for NotReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            NotReady::TaskEnded(name, outcome) => {
                let name = guarded_name(name);
                write!(f, "task `{name}`, which readiness waits for, {outcome}")
            }
            NotReady::Ended(name, outcome) => {
                write!(f, "task `{}` {outcome} and is not ready", guarded_name(name))
            }
            NotReady::ShuttingDown(step) => write!(f, "the group is shutting down ({step})"),
        }
    }
}

impl Error for NotReadyError {}

impl NotReadyError {
    /// Returns the name of the task that ended and thereby ruled readiness out; `None` if the group
    /// is shutting down for another reason.
    pub fn task(&self) -> Option<&str> {
        match &self.0 {
            NotReady::TaskEnded(name, _) | NotReady::Ended(name, _) => Some(name),
            NotReady::ShuttingDown(_) => None,
        }
    }

    /// Returns how that task ended; `None` if the group is shutting down for another reason.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.0 {
            NotReady::TaskEnded(_, outcome) | NotReady::Ended(_, outcome) => Some(outcome),
            NotReady::ShuttingDown(_) => None,
        }
    }
}
