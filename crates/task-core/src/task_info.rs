//! One task at one instant.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::Phase;

/// Tells one admission of a task from every other in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    /// Makes an id of its number, which the manager counts up from 1.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One task at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Which admission this is.
    pub id: TaskId,
    /// The name, which others may share; [`id`](Self::id) tells them apart.
    pub name: Cow<'static, str>,
    /// When it is stopped.
    pub phase: Phase,
    /// Whether its clean end leaves the group running.
    pub is_ephemeral: bool,
    /// What it is doing, as the manager sees it.
    pub state: TaskState,
    /// How long it has been in this state; of one that is being aborted, was abandoned or has ended, since it was asked
    /// to end, or began if nobody asked.
    pub in_state: Duration,
    /// How long it has been running: to this instant, also after its end.
    pub uptime: Duration,
    /// Time left until it is aborted: `None` before a shutdown has begun, where it has no limit, and for one that
    /// has ended or was given up.
    pub remaining: Option<Duration>,
    /// Whether the group's readiness waits for it.
    pub gates_readiness: bool,
    /// Whether it said that it is ready.
    pub is_ready: bool,
    /// What it is doing, in its own words.
    pub status: Option<Arc<str>>,
    /// How often it was run again.
    pub restarts: u32,
    /// How often a [`Context::record_failure`](crate::Context::record_failure) was made.
    pub failures: u32,
}

impl TaskInfo {
    /// Makes the description of a critical work task that has just started.
    pub fn new(id: TaskId, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id,
            name: name.into(),
            phase: Phase::WORK,
            is_ephemeral: false,
            state: TaskState::Running,
            in_state: Duration::ZERO,
            uptime: Duration::ZERO,
            remaining: None,
            gates_readiness: false,
            is_ready: false,
            status: None,
            restarts: 0,
            failures: 0,
        }
    }
}

/// What a task is doing, as the manager sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// At work, or about to be.
    Running,
    /// Asked to end.
    Stopping,
    /// Past its deadline: being dropped.
    Aborting,
    /// The shutdown went on without it.
    Abandoned,
    /// No more: only a handle to it shows that.
    Ended,
}

impl TaskState {
    /// Returns the word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Aborting => "aborting",
            Self::Abandoned => "abandoned",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
