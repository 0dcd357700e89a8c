//! The read-only view of a group: its tasks, its step, its readiness.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::{Level, Outcome, Phase};

/// A read-only view of a manager's group, cheap to clone. It keeps the group's records alive, not its tasks running.
///
/// ```
/// # use task_core::{Context, Step};
/// async fn report_changes(ctx: Context) -> anyhow::Result<()> {
///     let mut group = ctx.group();
///     while group.step() < Step::Ended {
///         ctx.or_cancelled(group.changed()).await?;
///         for task in group.snapshot().tasks {
///             println!("{} is {}", task.name, task.state);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Group {
    view: Arc<dyn GroupView>,
    seen: u64,
}

impl Group {
    /// Makes a view of its source. [`changed`](Self::changed) starts from now.
    pub fn new(view: Arc<dyn GroupView>) -> Self {
        let seen = view.version().get();
        Self { view, seen }
    }

    /// Makes the view of a task that has no group.
    pub fn alone() -> Self {
        Self::new(Arc::new(Alone(Level::new())))
    }

    /// Returns everything at one instant. It copies, so it costs time in proportion to the tasks that are alive.
    pub fn snapshot(&self) -> GroupSnapshot {
        self.view.snapshot()
    }

    /// Returns where the manager stands.
    pub fn step(&self) -> Step {
        self.view.step()
    }

    /// Returns whether the group is ready, and if not, why.
    pub fn readiness(&self) -> Readiness {
        self.view.readiness()
    }

    /// Resolves when something has changed since this value last looked: since it was made, or since its last
    /// `changed`. Changes in quick succession may count as one, and it may resolve when nothing visible has changed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no change is lost if it is dropped.
    pub async fn changed(&mut self) {
        self.view.version().reached(self.seen + 1).await;
        self.seen = self.view.version().get();
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("step", &self.step()).finish_non_exhaustive()
    }
}

/// Where a [`Group`] gets what it shows. Managers and test kits implement it; no method may block or panic.
pub trait GroupView: Send + Sync + 'static {
    /// Returns everything at one instant.
    fn snapshot(&self) -> GroupSnapshot;

    /// Returns a number that grows with every change.
    fn version(&self) -> &Level;

    /// Returns where the manager stands.
    fn step(&self) -> Step {
        self.snapshot().step
    }

    /// Returns whether the group is ready, and if not, why.
    fn readiness(&self) -> Readiness {
        self.snapshot().readiness
    }
}

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
    /// How long the manager has been in this step.
    pub in_step: Duration,
    /// Time left until the end of the whole shutdown: `None` before it has begun, or where it has no limit.
    pub remaining: Option<Duration>,
    /// Whether the group is ready, and if not, why.
    pub readiness: Readiness,
    /// The tasks that are alive, in the order in which they were admitted.
    pub tasks: Vec<TaskInfo>,
    /// How many tasks there were, and how they ended.
    pub totals: Totals,
}

/// Where a manager stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// How long it has been in this state.
    pub in_state: Duration,
    /// How long it has been running.
    pub uptime: Duration,
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
            gates_readiness: false,
            is_ready: false,
            status: None,
            restarts: 0,
            failures: 0,
        }
    }
}

/// What a living task is doing, as the manager sees it.
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
}

impl TaskState {
    /// Returns the word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Aborting => "aborting",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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

/// The group of a task that has none.
struct Alone(Level);

impl GroupView for Alone {
    fn snapshot(&self) -> GroupSnapshot {
        GroupSnapshot::default()
    }

    fn version(&self) -> &Level {
        &self.0
    }
}
