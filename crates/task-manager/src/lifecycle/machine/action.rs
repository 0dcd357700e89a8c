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
    /// Drop this task alone: its own stop timeout has passed.
    AbortTask(usize),
    /// Go on without this task.
    AbandonTask(usize),
    /// Run the cleanups that come next, so many at once.
    Clean(usize),
    /// Report the cleanups that come next, so many, as not run: no time is left for them.
    SkipCleanups(usize),
    /// Drop the running cleanups.
    AbortCleanups,
    /// Go on without the running cleanups.
    AbandonCleanups,
    /// Log what is still waited for.
    Remind,
    /// Make the report.
    End,
}
