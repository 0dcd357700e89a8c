//! Why a group does not become ready.

use task_core::{Outcome, Step};

/// Why [`ready`](crate::Manager::ready) will not succeed any more.
///
/// Either a task that gates readiness has ended, and [`task`](Self::task) is its name; or the group
/// is shutting down.
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
    #[error("task `{0}`, which readiness waits for, {1}")]
    TaskEnded(String, Outcome),
    #[error("the group is shutting down ({0})")]
    ShuttingDown(Step),
}

impl NotReadyError {
    /// Returns the name of the gating task that ended and thereby ruled readiness out; `None` if
    /// the group is shutting down for another reason.
    pub fn task(&self) -> Option<&str> {
        match &self.0 {
            NotReady::TaskEnded(name, _) => Some(name),
            NotReady::ShuttingDown(_) => None,
        }
    }
}
