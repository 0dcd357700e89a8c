//! The task that runs on a clock.

use std::{borrow::Cow, time::Duration};

use task_core::Context;

use crate::{
    Action, FirstRun, MissedTicks, PeriodicError, PeriodicTask, error::not_zero,
    schedule::Periodical,
};

/// A task that does its action once every period, on a clock that starts with its first run.
///
/// Ticks are at equal distances, whatever the runs take; see [`MissedTicks`] for runs that take longer than a period.
/// The clock is Tokio's: no setting of the system's clock changes it, it stands still while a Linux system is
/// suspended, and it is exact to a millisecond. For a pause between runs, see [`LoopTask`](crate::LoopTask).
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{Jitter, PollTask};
/// # async fn refresh_prices() -> anyhow::Result<()> { Ok(()) }
/// let prices = PollTask::new("prices", Duration::from_secs(30), async |_ctx| refresh_prices().await)?
///     .run_timeout(Duration::from_secs(20))
///     .jitter(Jitter::fraction(0.1)?);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
///
/// All options and the contract are on [`PeriodicTask`].
pub type PollTask<A> = PeriodicTask<Periodical, A>;

impl<A> PollTask<A> {
    /// Makes a poll of an async closure.
    ///
    /// # Errors
    ///
    /// Fails if `period` is zero or more than 100 years.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        period: Duration,
        action: A,
    ) -> Result<Self, PeriodicError>
    where
        A: AsyncFn(Context) -> anyhow::Result<()> + Action,
    {
        Self::with_action(name, period, action)
    }

    /// Makes a poll of any [`Action`].
    ///
    /// # Errors
    ///
    /// Fails if `period` is zero or more than 100 years.
    pub fn with_action(
        name: impl Into<Cow<'static, str>>,
        period: Duration,
        action: A,
    ) -> Result<Self, PeriodicError>
    where
        A: Action,
    {
        let schedule = Periodical::new(not_zero("period", period)?);
        Ok(Self::assemble(name, schedule, action, FirstRun::Immediately))
    }

    /// What becomes of ticks that pass while a run is in progress. Default: [`MissedTicks::Skip`].
    pub fn missed_ticks(mut self, missed_ticks: MissedTicks) -> Self {
        self.schedule.missed_ticks = missed_ticks;
        self
    }
}
