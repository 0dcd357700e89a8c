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
pub struct NotReadyError(Why);

#[derive(Clone, Debug, thiserror::Error)]
enum Why {
    #[error("task `{0}`, which readiness waits for, {1}")]
    TaskEnded(String, Outcome),
    #[error("the group is shutting down ({0})")]
    ShuttingDown(Step),
}

impl NotReadyError {
    pub(crate) fn task_ended(name: &str, outcome: Outcome) -> Self {
        Self(Why::TaskEnded(String::from(name), outcome))
    }

    pub(crate) fn shutting_down(step: Step) -> Self {
        Self(Why::ShuttingDown(step))
    }

    /// Returns the name of the gating task that ended and thereby ruled readiness out; `None` if
    /// the group is shutting down for another reason.
    pub fn task(&self) -> Option<&str> {
        match &self.0 {
            Why::TaskEnded(name, _) => Some(name),
            Why::ShuttingDown(_) => None,
        }
    }
}
