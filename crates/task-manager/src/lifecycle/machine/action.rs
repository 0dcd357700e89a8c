//! What goes into the machine and what comes out: kinds of tasks, triggers, actions.

use task_core::Phase;

/// Whether a clean end of a task leaves the group running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any end stops the group.
    Critical,
    /// Only a failure stops the group.
    Ephemeral,
}

/// Why a shutdown begins, as far as its course depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A caller asked for it, or a critical task ended cleanly.
    Request,
    /// Something failed.
    Failure,
    /// Nothing is left to drain for: completion, the parent, the drop of the manager.
    Plain,
    /// The outer group drains, and will stop this one afterwards.
    OuterDrain,
    /// The outer group stops this one.
    OuterStop,
}

/// What the caller of [`advance`](super::Machine::advance) has to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The group is complete: trigger the shutdown with that cause.
    Complete,
    /// The group was not ready in time: trigger the shutdown with that cause.
    StartTimeout,
    /// Notify every task that the group drains.
    Drain,
    /// Cancel the tasks of this phase.
    Stop(Phase),
    /// Drop the tasks of this phase.
    Abort(Phase),
    /// Go on without the tasks of this phase.
    Abandon(Phase),
    /// Run the next cleanup.
    Clean,
    /// Report the next cleanup as not run: no time is left for it.
    SkipCleanup,
    /// Drop the running cleanup.
    AbortCleanup,
    /// Go on without the running cleanup.
    AbandonCleanup,
    /// Log what is still waited for.
    Remind,
    /// Make the report.
    End,
}
