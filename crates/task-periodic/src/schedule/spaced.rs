//! Ticks a delay after the end of the last run.

use std::time::Duration;

use super::{Ended, Next, Timetable};
use crate::FirstRun;

/// The schedule of a [`LoopTask`](crate::LoopTask): a delay after the end of each run.
#[derive(Clone, Debug)]
pub struct Spaced {
    delay: Duration,
}

impl Spaced {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay }
    }
}

impl Timetable for Spaced {
    const IS_ON_A_CLOCK: bool = false;

    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration> {
        match first_run {
            FirstRun::Immediately => Some(now),
            FirstRun::OnSchedule => now.checked_add(self.delay),
            FirstRun::After(wait) => now.checked_add(wait),
        }
    }

    fn next(&mut self, ended: Ended) -> Next {
        Next { tick: ended.at.checked_add(self.delay), dropped: 0 }
    }

    fn gap(&self) -> Duration {
        self.delay
    }
}
