//! After which ends a task is run again.

/// After which ends a task is run again.
///
/// A task that is never run again needs no wrapper. One that was asked to stop is not either,
/// however it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Restart {
    /// After a failure: an error, a panic, a run that took too long. `Ok` ends the task. The
    /// default.
    ///
    /// [`Cancelled`](task_core::Cancelled) as the error of a run that nobody asked to end is a
    /// failure as well.
    #[default]
    OnFailure,
    /// After `Ok`, too. That is no failure, and it is followed by the shortest wait of the
    /// back-off, so that a task that completes at once cannot spin.
    Always,
}
