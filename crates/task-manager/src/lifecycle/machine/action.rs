//! The machine's vocabulary: what tasks are, what triggers mean, and what is to be done.

use task_core::Phase;

/// Whether a clean end of a task leaves the group running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Critical,
    Ephemeral,
}

/// What a shutdown's trigger means for its course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody asked for it, or a critical task ended cleanly.
    Request,
    /// Something went wrong.
    Failure,
    /// Nothing is left to drain for: completion, the parent, the drop.
    Plain,
    /// The group around this one drains, and will stop this one when it is done.
    OuterDrain,
    /// The group around this one stops it.
    OuterStop,
}

/// What the shell has to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Judged complete: trigger the shutdown with that cause.
    Complete,
    /// Not ready in time: trigger the shutdown with that cause.
    StartTimeout,
    /// Tell every task that the group drains.
    Drain,
    /// Cancel the tasks of this phase.
    Stop(Phase),
    /// Drop the tasks of this phase.
    Abort(Phase),
    /// Go on without the tasks of this phase.
    Abandon(Phase),
    /// Run the next cleanup.
    Clean,
    /// Report the next cleanup as not run: there is no time left for it.
    SkipCleanup,
    /// Drop the running cleanup.
    AbortCleanup,
    /// Go on without the running cleanup.
    AbandonCleanup,
    /// Name those who are still there.
    Remind,
    /// Make the report.
    End,
}
