//! When a task runs: pure arithmetic on readings of a clock, which are passed in.
//!
//! A reading is a `Duration` since some origin: the task's start on the steady clock, or 1970 on the wall clock. Which
//! of the two a schedule is on only matters to who reads the clock. Nothing here knows tokio, sleeps, or draws lots.

#[cfg(feature = "cron")]
mod cron;
mod periodical;
mod spaced;
#[cfg(test)]
mod tests;

use std::time::Duration;

#[cfg(feature = "cron")]
pub use self::cron::CronSchedule;
pub use self::{periodical::Periodical, spaced::Spaced};
use crate::{FirstRun, clock::Clock};

/// When a [`PeriodicTask`](crate::PeriodicTask) runs. The schedules are [`Spaced`], [`Periodical`] and, with feature
/// `cron`, `CronSchedule`; it cannot be implemented elsewhere.
#[allow(private_bounds, reason = "seals the trait")]
pub trait Schedule: Timetable + Send + 'static {}

impl<T: Timetable + Send + 'static> Schedule for T {}

/// The arithmetic of one schedule. It remembers the tick that was planned last.
pub(crate) trait Timetable {
    /// Whether ticks come by themselves, so that they can be missed.
    const IS_ON_A_CLOCK: bool;

    /// Returns the clock that the readings are of.
    fn clock(&self) -> Clock {
        Clock::steady()
    }

    /// Returns how long may be slept before the clock must be read again: it may have been set.
    fn attention(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    /// Plans the first tick; `None` is never.
    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration>;

    /// Plans the tick after a run.
    fn next(&mut self, ended: Ended) -> Next;

    /// Returns the time from the planned tick to the one after it.
    fn gap(&self) -> Duration;

    /// Plans anew if the clock was set so far back that the plan is void.
    fn revise(&mut self, _now: Duration) -> Option<Next> {
        None
    }
}

/// How a run left the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// When the run ended.
    pub(crate) at: Duration,
    /// From when on the next run may begin: later than `at` where there is a back-off.
    pub(crate) free: Duration,
    /// How late a tick may be used: the window of its jitter.
    pub(crate) slack: Duration,
}

/// The tick that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// When it is. It may have passed, and it may lie in the back-off; `None` is never.
    pub(crate) tick: Option<Duration>,
    /// How many ticks passed during the run and are not made up for.
    pub(crate) dropped: u64,
}
