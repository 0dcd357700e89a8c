//! One task at one instant.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::{Group, Phase};

/// The number of one admission of a task. It is unique within its group, and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u64);

impl TaskId {
    /// Creates an id from its number. Managers count from 1.
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

/// One task at one instant. [`TaskReport`](crate::TaskReport) says how it ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The number of its admission.
    pub id: TaskId,
    /// Its name, which others may share; their [`id`](Self::id)s differ.
    pub name: Cow<'static, str>,
    /// The phase in which it is stopped.
    pub phase: Phase,
    /// Whether its clean end leaves the group running.
    pub is_ephemeral: bool,
    /// Its state, as the manager sees it.
    pub state: TaskState,
    /// How long it has been in this state. If it is being aborted, was abandoned or has ended: how
    /// long ago it was asked to end, or began if it was never asked.
    pub in_state: Duration,
    /// How long ago it began. It goes on counting after the task's end.
    pub uptime: Duration,
    /// The time left until it is aborted. `None` before a shutdown has begun, if there is no limit,
    /// and once it has ended or was abandoned.
    pub remaining: Option<Duration>,
    /// Which deadline [`remaining`](Self::remaining) runs to. `None` where that is `None`.
    pub deadline: Option<StopDeadline>,
    /// Whether the group's readiness waits for it.
    pub gates_readiness: bool,
    /// Whether it is ready, as set by [`Context::set_ready`](crate::Context::set_ready).
    pub is_ready: bool,
    /// What it is doing, as set by [`Context::set_status`](crate::Context::set_status). At most 256
    /// bytes.
    pub status: Option<Arc<str>>,
    /// How often it was run again, as recorded by
    /// [`Context::record_restart`](crate::Context::record_restart).
    pub restarts: u32,
    /// How many failures it survived, as recorded by
    /// [`Context::record_failure`](crate::Context::record_failure) and
    /// [`Context::count_failure`](crate::Context::count_failure).
    pub failures: u32,
    /// The time left until it works again, where it pauses after a failure, as recorded by
    /// [`Context::record_wait`](crate::Context::record_wait). `None` while it works, and once it is
    /// asked to end.
    pub waiting: Option<Duration>,
    /// How many children of it are alive, as registered by
    /// [`Context::add_children`](crate::Context::add_children).
    pub children: usize,
    /// The groups that it runs: those nested in this one. Empty for nearly every task.
    pub groups: Vec<Group>,
}

impl TaskInfo {
    /// Creates the description of a critical task of [`Phase::WORK`] that has just started.
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
            deadline: None,
            gates_readiness: false,
            is_ready: false,
            status: None,
            restarts: 0,
            failures: 0,
            waiting: None,
            children: 0,
            groups: Vec::new(),
        }
    }
}

/// The state of a task, as the manager sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It works, or was not polled yet.
    Running,
    /// It is asked to end.
    Stopping,
    /// Its deadline has passed, and its future is being dropped.
    Aborting,
    /// It is still alive after its abort, and the shutdown went on without it.
    Abandoned,
    /// It has ended. Only a handle to the task shows this state.
    Ended,
}

impl TaskState {
    /// Returns the state's name in logs and metrics.
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

/// Which deadline a task is aborted at, as far as it is known before. Later versions may have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopDeadline {
    /// The end of its phase's part of the shutdown.
    Phase,
    /// The limit that is set for its phase.
    PhaseTimeout,
    /// Its own [stop timeout](crate::Task::stop_timeout).
    StopTimeout,
    /// The least time that a phase has if those before it left none.
    NoTimeLeft,
    /// That of a shutdown that was escalated.
    Escalation,
}

impl StopDeadline {
    /// Returns the deadline's name: `phase`, `phase timeout`, `stop timeout`, `no time left` or
    /// `escalation`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::PhaseTimeout => "phase timeout",
            Self::StopTimeout => "stop timeout",
            Self::NoTimeLeft => "no time left",
            Self::Escalation => "escalation",
        }
    }
}

impl fmt::Display for StopDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
