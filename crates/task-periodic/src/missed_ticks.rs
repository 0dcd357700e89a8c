//! What happens to ticks that pass during a run.

/// What happens to ticks that pass while a run is still in progress. Runs never overlap.
///
/// A tick at the very instant at which a run ends is not missed. With [jitter](crate::Jitter), a
/// tick is missed only if its whole window has passed.
///
/// With a period of 10 s, if the run of the tick at 0 s takes 34 s, it misses the ticks at 10, 20
/// and 30 s:
///
/// | | runs begin at |
/// |---|---|
/// | `Skip` | 0, 40, 50, 60 |
/// | `Delay` | 0, 34, 44, 54 |
/// | `Burst` | 0, 34, 34, 34, 40, 50 (if they take no time) |
///
/// The names are those of `tokio::time::MissedTickBehavior`.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{MissedTicks, PollTask};
/// # async fn bill_one_minute() -> anyhow::Result<()> { Ok(()) }
/// // Every minute is billed, late if need be.
/// let billing = PollTask::new("billing", Duration::from_secs(60), async |_| bill_one_minute().await)?
///     .missed_ticks(MissedTicks::Burst);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedTicks {
    /// Drops them: the next run is at the next tick. The default.
    #[default]
    Skip,
    /// Makes up for all of them with one run. A period restarts from that run; a cron schedule
    /// continues unchanged.
    Delay,
    /// Makes up for each of them, back to back, until the task has caught up.
    ///
    /// The number of such runs is not limited: a task that was blocked for long runs without a
    /// pause for long.
    Burst,
}
