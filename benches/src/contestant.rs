//! The contestants.

/// One way to run tasks and to stop them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contestant {
    JoinSet,
    Manager,
    Floor,
    Tracker,
    AsyncShutdown,
    TaskSupervisor,
    GracefulShutdown,
    Taskvisor,
}

use Contestant::{
    AsyncShutdown, Floor, GracefulShutdown, JoinSet, Manager, TaskSupervisor, Taskvisor, Tracker,
};

/// In the order of the tables.
pub(crate) const ALL: &[Contestant] =
    &[JoinSet, Manager, Floor, Tracker, AsyncShutdown, TaskSupervisor, GracefulShutdown, Taskvisor];

impl Contestant {
    /// The contestant that all others are compared with.
    pub(crate) const REFERENCE: Self = JoinSet;

    /// The word on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            JoinSet => "joinset",
            Manager => "manager",
            Floor => "floor",
            Tracker => "tracker",
            AsyncShutdown => "async-shutdown",
            TaskSupervisor => "task-supervisor",
            GracefulShutdown => "graceful-shutdown",
            Taskvisor => "taskvisor",
        }
    }

    /// The name in tables and plots.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            JoinSet => "JoinSet + token",
            Manager => "task-manager",
            Floor => "spawn + token + counter",
            Tracker => "TaskTracker + token",
            AsyncShutdown => "async-shutdown",
            TaskSupervisor => "task-supervisor",
            GracefulShutdown => "tokio-graceful-shutdown",
            Taskvisor => "taskvisor",
        }
    }

    /// The largest number of tasks it is measured with: with more, a round takes minutes.
    pub(crate) const fn most_tasks(self) -> usize {
        match self {
            GracefulShutdown | Taskvisor => 100_000,
            _ => 1_000_000,
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        ALL.iter().copied().find(|contestant| contestant.word() == word)
    }
}
