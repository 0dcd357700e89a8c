//! A group at one instant: its step, its readiness, its totals.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{CleanupInfo, Exits, Outcome, ShutdownInfo, SignalCount, TaskInfo, text::guarded_name};

/// The state of a group at one instant. Returned by [`Group::snapshot`](crate::Group::snapshot).
///
/// # Examples
///
/// ```
/// use task_core::GroupSnapshot;
///
/// fn summary(group: &GroupSnapshot) -> String {
///     let oldest = group.tasks.iter().max_by_key(|task| task.uptime);
///     match oldest {
///         Some(task) => format!("{}: {} is {}", group.step, task.name, task.state),
///         None => format!("{}: no tasks", group.step),
///     }
/// }
/// assert_eq!(summary(&GroupSnapshot::default()), "running: no tasks");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GroupSnapshot {
    /// The manager's name.
    pub name: Cow<'static, str>,
    /// The manager's step.
    pub step: Step,
    /// What began the shutdown, as text. `None` before it has begun.
    pub cause: Option<String>,
    /// How long ago the manager was created. It goes on counting after the manager's end.
    pub uptime: Duration,
    /// How long the manager has been in this step.
    pub in_step: Duration,
    /// The time left until the deadline of the whole shutdown, which goes on counting down to zero
    /// after the end. `None` before the shutdown has begun, or if it has no limit.
    pub remaining: Option<Duration>,
    /// Whether the group is ready, and if not, why.
    pub readiness: Readiness,
    /// The tasks that are alive, in the order in which they were admitted.
    pub tasks: Vec<TaskInfo>,
    /// How many tasks there were in the manager's life, and how they ended.
    pub totals: Totals,
    /// How tasks have ended, by name: at most 200 names, of which at most 150 are those of tasks
    /// that were ephemeral when the first of the name ended. The tasks of all other names are the
    /// last entry.
    pub exits: Vec<Exits>,
    /// The cleanups in the order in which they run, which is the reverse of their registration. Of
    /// those that have ended the first 4,096 are listed, and of those that wait the next 4,096.
    pub cleanups: Vec<CleanupInfo>,
    /// The signals that arrived, by name, as recorded by
    /// [`Context::record_signal`](crate::Context::record_signal): at most 64 names.
    pub signals: Vec<SignalCount>,
    /// The shutdown, once it has begun.
    pub shutdown: Option<ShutdownInfo>,
}

/// The step of a manager's life. Steps follow each other in this order, and some may be skipped.
/// Later versions may have more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Tasks run and are admitted.
    #[default]
    Running,
    /// A shutdown has begun. The group is no longer ready, and works on.
    Draining,
    /// Tasks are being stopped, phase by phase.
    Stopping,
    /// The tasks have ended, or were abandoned. Cleanups run.
    CleaningUp,
    /// The shutdown is over, and its report complete.
    Ended,
}

impl Step {
    /// Returns the step's name in logs, metrics and the report.
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
    /// What keeps the group from being ready. Empty if it is ready. At most 20 tasks are listed.
    pub blockers: Vec<Blocker>,
    /// Whether the group has ever been ready, which is what a startup probe asks.
    pub has_started: bool,
}

impl Readiness {
    /// Returns whether the group is ready.
    pub fn is_ready(&self) -> bool {
        self.blockers.is_empty()
    }
}

/// One thing that keeps a group from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocker {
    /// The service is still being set up: no `wait` of the manager was polled yet.
    SettingUp,
    /// The shutdown has begun.
    ShuttingDown(Step),
    /// A task that gates readiness has not called
    /// [`set_ready`](crate::Context::set_ready).
    NotReady(String),
    /// A task that gates readiness has ended.
    HasEnded(String, Outcome),
    /// A check of the service failed. The HTTP server that runs the checks adds it; a manager knows
    /// of none.
    CheckFailed(String),
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingUp => f.write_str("setting up"),
            Self::ShuttingDown(step) => write!(f, "shutting down ({step})"),
            Self::NotReady(name) => write!(f, "task `{}` is not ready", guarded_name(name)),
            Self::HasEnded(name, outcome) => {
                write!(f, "task `{}` has ended ({outcome})", guarded_name(name))
            }
            Self::CheckFailed(name) => write!(f, "check `{}` failed", guarded_name(name)),
        }
    }
}

/// How many tasks a group had, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Tasks that were admitted.
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
    /// Abandoned as [`Outcome::Abandoned`]. Such a task may end later, and is not counted again.
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

    /// Returns how many ended with this outcome.
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
