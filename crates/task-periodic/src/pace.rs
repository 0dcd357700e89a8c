//! When the next run begins: the schedule, its clock, and the lots that are drawn.

use std::{future::poll_fn, task::Poll, time::Duration};

use task_core::{Cancelled, Context};
use tokio::time::sleep;

use crate::{
    FirstRun, Jitter,
    clock::Clock,
    jitter,
    schedule::{Ended, Next, Schedule},
};

/// Waits for the runs of one task.
pub(crate) struct Pace<S> {
    schedule: S,
    clock: Clock,
    jitter: Jitter,
    random: fastrand::Rng,
    /// From the planned tick to the one after it.
    gap: Duration,
    /// When the next run begins; `None` is never.
    start: Option<Duration>,
    /// Whether a run has ended since the last sleep.
    is_hot: bool,
}

impl<S: Schedule> Pace<S> {
    /// Plans the first run.
    pub(crate) fn new(
        mut schedule: S,
        first_run: FirstRun,
        jitter: Jitter,
        random: fastrand::Rng,
    ) -> Self {
        let clock = schedule.clock();
        let now = clock.now();
        let start = schedule.first(first_run, now);
        let gap = schedule.gap();
        let mut pace = Self { schedule, clock, jitter, random, gap, start, is_hot: false };
        if first_run != FirstRun::Immediately {
            pace.start = pace.delayed(start);
        }
        pace
    }

    /// Waits until the next run is due. Cancellation wins over a run that is due.
    pub(crate) async fn wait(&mut self, ctx: &Context) -> Result<(), Cancelled> {
        loop {
            if ctx.is_cancelled() {
                return Err(Cancelled);
            }
            let now = self.clock.now();
            if let Some(next) = self.schedule.revise(now) {
                self.plan(next, now);
            }
            let left = self.start.map_or(Duration::MAX, |start| start.saturating_sub(now));
            if left.is_zero() && !self.is_hot {
                return Ok(());
            }
            self.is_hot = false;
            if left.is_zero() {
                // Runs without a pause between them must not keep the thread from everybody else.
                yield_once().await;
            } else {
                ctx.or_cancelled(sleep(left.min(self.schedule.attention()))).await?;
            }
        }
    }

    /// Plans the run after one that has just ended, and returns how many ticks were dropped.
    pub(crate) fn ended(&mut self, hold_off: Duration) -> u64 {
        self.is_hot = true;
        let at = self.clock.now();
        let free = at.saturating_add(hold_off);
        let slack = if S::IS_ON_A_CLOCK { self.window() } else { Duration::ZERO };
        let next = self.schedule.next(Ended { at, free, slack });
        self.plan(next, free);
        next.dropped
    }

    /// Draws a back-off or another lot.
    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Returns how long it is to the next run: `None` is for ever.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.start.map(|start| start.saturating_sub(self.clock.now()))
    }

    /// Returns how long a run may take before it overstays its tick; `None` where nothing ticks.
    pub(crate) fn room(&self) -> Option<Duration> {
        (S::IS_ON_A_CLOCK && !self.gap.is_zero()).then_some(self.gap)
    }

    fn plan(&mut self, next: Next, free: Duration) {
        self.gap = self.schedule.gap();
        self.start = self.delayed(next.tick).map(|start| start.max(free));
    }

    fn delayed(&mut self, tick: Option<Duration>) -> Option<Duration> {
        let window = self.window();
        tick?.checked_add(jitter::draw(&mut self.random, window))
    }

    fn window(&self) -> Duration {
        self.jitter.window(self.gap, S::IS_ON_A_CLOCK)
    }
}

/// Lets others have the thread once.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
