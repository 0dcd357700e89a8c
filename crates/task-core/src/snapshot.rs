//! A group at one instant: its step, its readiness, its totals.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{CleanupInfo, Exits, Outcome, ShutdownInfo, SignalCount, TaskInfo};

/// Everything about a group at one instant.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GroupSnapshot {
    /// The manager's name.
    pub name: Cow<'static, str>,
    /// Where the manager stands.
    pub step: Step,
    /// What began the shutdown, in words, once it has begun.
    pub cause: Option<String>,
    /// How long ago the manager was made: to this instant, also after its end.
    pub uptime: Duration,
    /// How long the manager has been in this step.
    pub in_step: Duration,
    /// Time left until the end of the whole shutdown, which counts down to zero after that too: `None` before it has
    /// begun, or where it has no limit.
    pub remaining: Option<Duration>,
    /// Whether the group is ready, and if not, why.
    pub readiness: Readiness,
    /// The tasks that are alive, in the order in which they were admitted.
    pub tasks: Vec<TaskInfo>,
    /// How many tasks there were, and how they ended.
    pub totals: Totals,
    /// How the tasks that have ended did, by name: those of 200 names at most, 150 of them at most of tasks that were
    /// ephemeral when the first of the name ended, and last, if there are more, those of all other names together.
    pub exits: Vec<Exits>,
    /// The cleanups, the last registered first, which is the order in which they run. Of those that are over the first
    /// 4,096 are listed, and of those that wait the next 4,096.
    pub cleanups: Vec<CleanupInfo>,
    /// The signals that came, by name, as far as tasks said so with
    /// [`Context::record_signal`](crate::Context::record_signal): at most 64 names.
    pub signals: Vec<SignalCount>,
    /// The shutdown, once it has begun.
    pub shutdown: Option<ShutdownInfo>,
}

/// Where a manager stands. Steps only ever follow each other in this order; later versions may have more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Tasks run and are admitted.
    #[default]
    Running,
    /// A shutdown has begun; the group is no longer ready, and still works.
    Draining,
    /// Tasks are being stopped, phase by phase.
    Stopping,
    /// The tasks have ended; cleanups run.
    CleaningUp,
    /// The report is made.
    Ended,
}

impl Step {
    /// Returns the word used in logs, metrics and the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::CleaningUp => "cleaning up",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a group is ready for traffic, and if not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// What keeps the group from being ready; empty means ready. At most 20 tasks are listed.
    pub blockers: Vec<Blocker>,
    /// Whether the group has ever been ready: the answer to a startup probe.
    pub has_started: bool,
}

impl Readiness {
    /// Tells whether the group is ready.
    pub fn is_ready(&self) -> bool {
        self.blockers.is_empty()
    }
}

/// One thing that keeps a group from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocker {
    /// The service is still setting up: nobody has waited for the manager yet.
    SettingUp,
    /// The shutdown has begun.
    ShuttingDown(Step),
    /// A task that gates readiness has not said that it is ready.
    NotReady(String),
    /// A task that gates readiness has ended.
    HasEnded(String, Outcome),
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingUp => f.write_str("setting up"),
            Self::ShuttingDown(step) => write!(f, "shutting down ({step})"),
            Self::NotReady(name) => write!(f, "task `{name}` is not ready"),
            Self::HasEnded(name, outcome) => write!(f, "task `{name}` has ended ({outcome})"),
        }
    }
}

/// How many tasks a group had, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Admitted.
    pub started: u64,
    /// Ended as [`Outcome::Completed`].
    pub completed: u64,
    /// Ended as [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// Ended as [`Outcome::Failed`].
    pub failed: u64,
    /// Ended as [`Outcome::Panicked`].
    pub panicked: u64,
    /// Ended as [`Outcome::Aborted`].
    pub aborted: u64,
    /// Given up as [`Outcome::Abandoned`].
    pub abandoned: u64,
}

impl Totals {
    /// Counts one end.
    pub fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Failed => &mut self.failed,
            Outcome::Panicked => &mut self.panicked,
            Outcome::Aborted => &mut self.aborted,
            Outcome::Abandoned => &mut self.abandoned,
        } += 1;
    }

    /// Returns the count of one outcome.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Completed => self.completed,
            Outcome::Cancelled => self.cancelled,
            Outcome::Failed => self.failed,
            Outcome::Panicked => self.panicked,
            Outcome::Aborted => self.aborted,
            Outcome::Abandoned => self.abandoned,
        }
    }
}
