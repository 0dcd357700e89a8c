//! The task that runs on a cron schedule.

use std::{borrow::Cow, time::SystemTime};

use task_core::Context;

use crate::{Action, CronSchedule, FirstRun, MissedTicks, PeriodicTask, clock::WallClock};

/// A task that performs its action at the times of a cron pattern, in a time zone.
///
/// [`CronSchedule`] describes the patterns, and what happens when clocks change. The waits for
/// ticks follow the system's clock; the back-off and
/// [`run_timeout`](crate::PeriodicTask::run_timeout) do not. The options and the contract are
/// those of [`PeriodicTask`].
///
/// # Examples
///
/// ```
/// # use task_periodic::{CronSchedule, CronTask};
/// # async fn write_report() -> anyhow::Result<()> { Ok(()) }
/// let schedule = CronSchedule::in_zone("30 3 * * MON-FRI", "Europe/Berlin")?;
/// let report = CronTask::new("report", schedule, async |_ctx| write_report().await);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
pub type CronTask<A> = PeriodicTask<CronSchedule, A>;

impl<A> CronTask<A> {
    /// Creates a cron task from an async closure.
    pub fn new(name: impl Into<Cow<'static, str>>, schedule: CronSchedule, action: A) -> Self
    where
        A: AsyncFn(Context) -> anyhow::Result<()> + Action,
    {
        Self::with_action(name, schedule, action)
    }

    /// Creates a cron task from any [`Action`].
    pub fn with_action(
        name: impl Into<Cow<'static, str>>,
        schedule: CronSchedule,
        action: A,
    ) -> Self
    where
        A: Action,
    {
        Self::assemble(name, schedule, action, FirstRun::OnSchedule)
    }

    /// Sets what happens to ticks that pass while a run is in progress. Default:
    /// [`MissedTicks::Skip`].
    pub fn missed_ticks(mut self, missed_ticks: MissedTicks) -> Self {
        self.schedule.missed_ticks = missed_ticks;
        self
    }

    /// Sets the source of the time of day, for tests. Default: the system's clock.
    pub fn time_of_day(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.schedule.wall_clock = WallClock::new(now);
        self
    }
}
