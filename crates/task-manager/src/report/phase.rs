//! How the stop of one phase went.

use std::fmt;
use std::time::Duration;

use task_core::{Phase, TaskReport};

/// How the stop of one phase went: how long it took, how long it might, and who ended last.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_manager::{Manager, Phase, task_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// for (name, seconds) in [("quick", 1), ("slow", 3)] {
///     manager.run(task_fn(name, async move |ctx| {
///         ctx.cancelled().await;
///         tokio::time::sleep(Duration::from_secs(seconds)).await;
///         Ok(())
///     }))?;
/// }
/// let report = manager.shutdown().await?;
/// let work = &report.phases()[0];
/// assert_eq!((work.phase, work.tasks), (Phase::WORK, 2));
/// assert_eq!((work.ended_at - work.stopped_at).as_secs(), 3);
/// assert_eq!(work.budget, Some(Duration::from_millis(24_750)));
/// assert_eq!(work.last.as_ref().unwrap().name, "slow");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PhaseReport {
    /// The phase.
    pub phase: Phase,
    /// When its tasks were asked to end, as time since the manager was made.
    pub stopped_at: Duration,
    /// When they had ended or were abandoned, likewise.
    pub ended_at: Duration,
    /// How long they might take to end by themselves, until they were to be aborted: as planned
    /// when they were asked or, if they were aborted, as it was then. Aborted tasks have up to 250
    /// ms more to be dropped. `None` if that was not limited.
    pub budget: Option<Duration>,
    /// How many tasks were asked to end.
    pub tasks: u64,
    /// The task that ended last, of those of the phase that are among
    /// [`Report::tasks`](crate::Report::tasks).
    pub last: Option<TaskReport>,
}

/// The name of a phase, or its number.
pub(super) struct Name(pub(super) Phase);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Phase::SETUP => f.write_str("SETUP"),
            Phase::INGRESS => f.write_str("INGRESS"),
            Phase::WORK => f.write_str("WORK"),
            Phase::SUPPORT => f.write_str("SUPPORT"),
            other => other.number().fmt(f),
        }
    }
}
