//! When a task runs: pure arithmetic on clock readings, which are passed in.
//!
//! A reading is a `Duration` since an origin: the task's start on the steady clock, or 1970 on the
//! wall clock. Which of the two a schedule uses matters only to the caller that reads the clock.
//! Nothing in this module depends on Tokio, sleeps, or draws random numbers, so that the tests can
//! check it against a model.

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
use crate::{
    FirstRun,
    clock::{Clock, Step},
};

/// When a [`PeriodicTask`](crate::PeriodicTask) runs.
///
/// The schedules are [`Spaced`], [`Periodical`] and, with feature `cron`, `CronSchedule`. The trait
/// is sealed: it cannot be implemented elsewhere.
#[allow(private_bounds, reason = "seals the trait")]
pub trait Schedule: Timetable + Send + 'static {}

impl<T: Timetable + Send + 'static> Schedule for T {}

/// The arithmetic of one schedule, which remembers the tick that was planned last.
pub(crate) trait Timetable {
    /// Whether ticks are independent of the runs, so that a run can miss them.
    const IS_ON_A_CLOCK: bool;

    /// Returns the clock that the readings come from.
    fn clock(&self) -> Clock {
        Clock::steady()
    }

    /// Returns how long the task may sleep before it reads the clock again, which may have been
    /// set.
    fn longest_sleep(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    /// Plans the first tick; `None` is never.
    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration>;

    /// Plans the tick after a run.
    fn next(&mut self, ended: Ended) -> Next;

    /// Returns the time from the planned tick to the one after it.
    fn gap(&self) -> Duration;

    /// Returns whether the planned instant is no tick but the end of a wait, which is counted by
    /// the time that passes and not by a clock that can be set.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Takes note of a reading of the clock, and of its step since the last one. Returns whether
    /// the planned tick no longer holds: then [`resume`](Self::resume) plans anew.
    fn revise(&mut self, _now: Duration, _step: Option<Step>) -> bool {
        false
    }

    /// Plans the first tick after those that are done.
    fn resume(&mut self) -> Option<Duration> {
        None
    }

    /// Counts the ticks that a step of the clock has passed over.
    fn skipped(&self, _from: Duration, _to: Duration) -> u64 {
        0
    }
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// When the run ended.
    pub(crate) at: Duration,
    /// The earliest begin of the next run: later than `at` if there is a back-off.
    pub(crate) not_before: Duration,
    /// How long after a tick its run may begin: the window of the jitter.
    pub(crate) slack: Duration,
}

/// The tick that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// When it is; `None` is never. It may have passed, and it may be within the back-off.
    pub(crate) tick: Option<Duration>,
    /// How many ticks passed during the run and are not made up for.
    pub(crate) dropped: u64,
}
