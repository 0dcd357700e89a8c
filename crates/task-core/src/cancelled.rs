//! The error that says "I ended because I was asked to".

/// The error of an await that was given up because the task was asked to stop.
///
/// [`Context::or_cancelled`](crate::Context::or_cancelled) returns it, `?` carries it up, and as the task's error it
/// is a clean end, provided that this task's own context is cancelled by then. Otherwise it is a failure like any
/// other: somebody else's cancellation is no reason for this task to be gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Cancelled {
    /// Tells whether `error` *is* `Cancelled`, below any number of [`anyhow` contexts](anyhow::Context) and nothing
    /// else.
    ///
    /// An error of another type that merely has `Cancelled` as its source does not count, nor does a real error under
    /// a context of this type.
    ///
    /// ```
    /// # use task_core::Cancelled;
    /// let stopped = anyhow::Error::new(Cancelled).context("reading orders");
    /// assert!(Cancelled::is_outermost_in(&stopped));
    /// assert!(!Cancelled::is_outermost_in(&anyhow::anyhow!("disk full").context(Cancelled)));
    /// ```
    pub fn is_outermost_in(error: &anyhow::Error) -> bool {
        // `is` looks through contexts, and at the contexts themselves; the root rules out the latter.
        error.is::<Self>() && error.root_cause().is::<Self>()
    }
}
