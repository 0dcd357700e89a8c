//! The task that runs again some time after it ended.

use std::{borrow::Cow, time::Duration};

use task_core::Context;

use crate::{Action, FirstRun, PeriodicError, PeriodicTask, error::not_too_long, schedule::Spaced};

/// A task that performs its action repeatedly, with a delay between the end of one run and the
/// beginning of the next.
///
/// Use it for work that should leave a pause, however long it took; and, with a delay of zero, for
/// work that waits by itself, such as for the next message of a queue. For work at fixed times, see
/// [`PollTask`](crate::PollTask).
///
/// With a delay of zero the task yields to the runtime after each run. The delay is Tokio's time,
/// exact to a millisecond. The options and the contract are those of [`PeriodicTask`].
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{FirstRun, LoopTask};
/// # async fn delete_expired() -> anyhow::Result<()> { Ok(()) }
/// let purge = LoopTask::new("purge", Duration::from_secs(60), async |_ctx| delete_expired().await)?
///     .first_run(FirstRun::OnSchedule);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
pub type LoopTask<A> = PeriodicTask<Spaced, A>;

impl<A> LoopTask<A> {
    /// Creates a loop from an async closure. The delay may be zero.
    ///
    /// # Errors
    ///
    /// Fails if `delay` is more than 100 years.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        delay: Duration,
        action: A,
    ) -> Result<Self, PeriodicError>
    where
        A: AsyncFn(Context) -> anyhow::Result<()> + Action,
    {
        Self::with_action(name, delay, action)
    }

    /// Creates a loop from any [`Action`]. The delay may be zero.
    ///
    /// # Errors
    ///
    /// Fails if `delay` is more than 100 years.
    pub fn with_action(
        name: impl Into<Cow<'static, str>>,
        delay: Duration,
        action: A,
    ) -> Result<Self, PeriodicError>
    where
        A: Action,
    {
        let schedule = Spaced::new(not_too_long("delay", delay)?);
        Ok(Self::assemble(name, schedule, action, FirstRun::Immediately))
    }
}
