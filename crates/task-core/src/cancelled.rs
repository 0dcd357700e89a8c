//! The error of a task that ended because it was asked to.

use std::{error::Error, fmt};

use crate::panics::catch;

/// The error of a wait that ended because the task was asked to stop.
///
/// [`Context::or_cancelled`](crate::Context::or_cancelled) returns it and `?` propagates it. As the
/// task's own error it is a clean end, provided that this task's context is cancelled by then.
/// Otherwise it is a failure like any other: the cancellation of another task is no reason for this
/// one to end.
///
/// # Examples
///
/// ```
/// use std::{future::pending, sync::Arc};
/// use task_core::{Cancelled, Context, scope::{Stage, StageCell}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let stage = Arc::new(StageCell::new());
/// let ctx = Context::new(stage.clone());
/// stage.advance(Stage::Cancelled);
/// assert_eq!(ctx.or_cancelled(pending::<()>()).await, Err(Cancelled));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl Error for Cancelled {}

impl Cancelled {
    /// Returns whether `error` *is* `Cancelled`, under any number of
    /// [`anyhow` contexts](anyhow::Context) and nothing else.
    ///
    /// An error of another type that has `Cancelled` as its source does not count, nor does another
    /// error under a context of this type: both may hide what went wrong. Nor does one whose
    /// `source` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_core::Cancelled;
    ///
    /// let stopped = anyhow::Error::new(Cancelled).context("reading orders");
    /// assert!(Cancelled::is_outermost_in(&stopped));
    /// assert!(!Cancelled::is_outermost_in(&anyhow::anyhow!("disk full").context(Cancelled)));
    /// ```
    pub fn is_outermost_in(error: &anyhow::Error) -> bool {
        // `is` also matches a context of this type, which the look at the root rules out. The way
        // to the root is through foreign code.
        error.is::<Self>() && catch(|| error.root_cause().is::<Self>()).unwrap_or(false)
    }
}
