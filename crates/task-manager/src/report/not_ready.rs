//! Why a group does not become ready.

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
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotReadyError(pub(crate) NotReady);

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("task `{}`, which readiness waits for, {}", guarded_name(.0), .1)]
    TaskEnded(String, Outcome),
    #[error("task `{}` {} and is not ready", guarded_name(.0), .1)]
    Ended(String, Outcome),
    #[error("the group is shutting down ({0})")]
    ShuttingDown(Step),
}

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
