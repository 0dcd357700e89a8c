//! Which deadline a task or a cleanup was aborted at.

use std::fmt;
use std::time::Duration;

use task_core::Phase;
use task_core::scope::guarded_name;

use super::{length::Length, phase::Name};

/// The deadline at which a task or a cleanup was aborted.
///
/// `Display` is a short text, such as `phase WORK had 18.75 s` or `its stop timeout of 2.00 s`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_manager::{DeadlineKind, FailureKind, Manager, Task, task_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// let stuck = task_fn("stuck", async |_| std::future::pending().await);
/// manager.run(stuck.stopping_within(Duration::from_secs(2)))?;
/// let error = manager.shutdown().await.unwrap_err();
/// let FailureKind::Aborted { deadline } = &error.root().unwrap().kind else { panic!() };
/// assert_eq!(deadline.kind, DeadlineKind::StopTimeout);
/// assert_eq!(deadline.had, Duration::from_secs(2));
/// assert_eq!(
///     error.to_string(),
///     "task `stuck` was aborted at its deadline (its stop timeout of 2.00 s)",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadline {
    /// Which deadline it was.
    pub kind: DeadlineKind,
    /// How long it left, from the request to stop, or from the beginning of the cleanup.
    pub had: Duration,
}

/// The kinds of [`Deadline`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlineKind {
    /// This phase had used up its part of the shutdown.
    Phase(Phase),
    /// This phase had used up its [`phase_timeout`](crate::ManagerBuilder::phase_timeout).
    PhaseTimeout(Phase),
    /// The task had used up its [`stop_timeout`](task_core::Task::stop_timeout).
    StopTimeout,
    /// It was asked to end within a time, or at once: by
    /// [`TaskHandle::stop_within`](crate::TaskHandle::stop_within) or
    /// [`abort`](crate::TaskHandle::abort).
    Requested,
    /// The shutdown was escalated to [`Escalation::Abort`](task_core::Escalation::Abort).
    Escalation,
    /// The cleanup had used up its part of the time for cleanups.
    Cleanup,
    /// What was stopped before had left no time: this task was given next to none, or none.
    NoTimeLeft {
        /// The task of the earlier phases that took longest to stop, if there was one.
        taken_by: Option<String>,
        /// How long that one took.
        took: Duration,
    },
}

impl Deadline {
    pub(crate) fn new(kind: DeadlineKind, had: Duration) -> Self {
        Self { kind, had }
    }

    /// Returns the phase that the deadline is of, if it is of one.
    pub fn phase(&self) -> Option<Phase> {
        match self.kind {
            DeadlineKind::Phase(phase) | DeadlineKind::PhaseTimeout(phase) => Some(phase),
            DeadlineKind::StopTimeout
            | DeadlineKind::Requested
            | DeadlineKind::Escalation
            | DeadlineKind::Cleanup
            | DeadlineKind::NoTimeLeft { .. } => None,
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let had = Length(self.had);
        match &self.kind {
            DeadlineKind::Phase(phase) => write!(f, "phase {} had {had}", Name(*phase)),
            DeadlineKind::PhaseTimeout(phase) => {
                write!(f, "phase {} was limited to {had}", Name(*phase))
            }
            DeadlineKind::StopTimeout => write!(f, "its stop timeout of {had}"),
            DeadlineKind::Requested if self.had.is_zero() => f.write_str("its abort was asked for"),
            DeadlineKind::Requested => write!(f, "it was asked to end within {had}"),
            DeadlineKind::Escalation => f.write_str("the shutdown was escalated"),
            DeadlineKind::Cleanup => write!(f, "it had {had}"),
            DeadlineKind::NoTimeLeft { taken_by: Some(task), took } => {
                let (task, took) = (guarded_name(task), Length(*took));
                write!(f, "only {had} were left, since task `{task}` had taken {took}")
            }
            DeadlineKind::NoTimeLeft { taken_by: None, .. } => write!(f, "only {had} were left"),
        }
    }
}
