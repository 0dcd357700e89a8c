//! Ticks at equal distances.

use std::time::Duration;

use super::{Ended, Next, Timetable};
use crate::{FirstRun, MissedTicks};

/// The schedule of a [`PollTask`](crate::PollTask): a tick every period, counted from the first
/// run.
#[derive(Clone, Debug)]
pub struct Periodical {
    period: Duration,
    pub(crate) missed_ticks: MissedTicks,
    /// The tick that was planned last, before any jitter.
    planned: Duration,
}

impl Periodical {
    /// Creates a schedule from a period that is neither zero nor more than 100 years.
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, missed_ticks: MissedTicks::default(), planned: Duration::ZERO }
    }

    /// Counts the ticks after the planned one and before `limit`.
    fn ticks_before(&self, limit: Duration) -> u64 {
        let passed = limit.saturating_sub(self.planned).as_nanos();
        let ticks = passed.div_ceil(self.period.as_nanos()).saturating_sub(1);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Returns the first tick after the planned one that is not before `limit`.
    fn tick_from(&self, limit: Duration) -> Option<Duration> {
        let following = self.planned.checked_add(self.period)?;
        if limit <= following {
            return Some(following);
        }
        let past_a_tick = (limit - self.planned).as_nanos() % self.period.as_nanos();
        if past_a_tick == 0 {
            return Some(limit);
        }
        // At most a period, and the longest period in nanoseconds fits into 64 bits.
        let ahead = u64::try_from(self.period.as_nanos() - past_a_tick).unwrap_or(u64::MAX);
        limit.checked_add(Duration::from_nanos(ahead))
    }

    /// Remembers the planned tick.
    fn plan(&mut self, tick: Option<Duration>, dropped: u64) -> Next {
        self.planned = tick.unwrap_or(Duration::MAX);
        Next { tick, dropped }
    }
}

impl Timetable for Periodical {
    const IS_ON_A_CLOCK: bool = true;

    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration> {
        let tick = match first_run {
            FirstRun::Immediately => Some(now),
            FirstRun::OnSchedule => now.checked_add(self.period),
            FirstRun::After(wait) => now.checked_add(wait),
        };
        self.plan(tick, 0).tick
    }

    fn next(&mut self, ended: Ended) -> Next {
        let Ended { at, not_before, slack } = ended;
        let (at, usable) = (at.saturating_sub(slack), not_before.saturating_sub(slack));
        match self.missed_ticks {
            MissedTicks::Burst => self.plan(self.planned.checked_add(self.period), 0),
            MissedTicks::Skip => self.plan(self.tick_from(usable), self.ticks_before(at)),
            MissedTicks::Delay if self.ticks_before(usable) == 0 => {
                self.plan(self.planned.checked_add(self.period), 0)
            }
            MissedTicks::Delay => {
                let made_up = 1;
                self.plan(Some(not_before), self.ticks_before(at).saturating_sub(made_up))
            }
        }
    }

    fn gap(&self) -> Duration {
        self.period
    }
}
