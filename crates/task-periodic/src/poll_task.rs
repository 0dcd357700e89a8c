//! The task that runs at a fixed period.

use std::{borrow::Cow, time::Duration};

use task_core::Context;

use crate::{
    Action, FirstRun, MissedTicks, PeriodicError, PeriodicTask, error::not_zero,
    schedule::Periodical,
};

/// A task that performs its action once every period, counted from its first run.
///
/// Ticks are at equal distances, however long the runs take; see [`MissedTicks`] for runs that take
/// longer than a period. For a pause between runs, see [`LoopTask`](crate::LoopTask).
///
/// The clock is Tokio's: no setting of the system's clock changes it, it does not advance while a
/// Linux system is suspended, and it is exact to a millisecond. The options and the contract are
/// those of [`PeriodicTask`].
///
/// # Examples
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
pub type PollTask<A> = PeriodicTask<Periodical, A>;

impl<A> PollTask<A> {
    /// Creates a poll from an async closure.
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

    /// Creates a poll from any [`Action`].
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

    /// Sets what happens to ticks that pass while a run is in progress. Default:
    /// [`MissedTicks::Skip`].
    pub fn missed_ticks(mut self, missed_ticks: MissedTicks) -> Self {
        self.schedule.missed_ticks = missed_ticks;
        self
    }
}
