//! When the first run begins.

use std::time::Duration;

/// When the first run begins.
///
/// [Jitter](crate::Jitter) applies to all but [`Immediately`](Self::Immediately). To keep many
/// processes that start together from running together, choose one of the others, with jitter.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{FirstRun, Jitter, PollTask};
/// # async fn report_usage() -> anyhow::Result<()> { Ok(()) }
/// // The first run begins at a random time between 5 and 10 minutes after the start.
/// let usage = PollTask::new("usage", Duration::from_secs(600), async |_| report_usage().await)?
///     .first_run(FirstRun::After(Duration::from_secs(300)))
///     .jitter(Jitter::fraction(0.5)?);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstRun {
    /// As soon as the task starts.
    Immediately,
    /// One delay or one period after the task's start, or at the next match of a cron schedule.
    OnSchedule,
    /// This long after the task's start; the ticks of a period count from that instant. A wait
    /// beyond the range of the clock never ends.
    After(Duration),
}
