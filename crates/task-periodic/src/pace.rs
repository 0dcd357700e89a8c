//! When the next run begins: the schedule, its clock, and the random numbers of jitter and
//! back-off.

use std::{future::poll_fn, task::Poll, time::Duration};

use task_core::{Cancelled, Context};
use tokio::time::sleep;

use crate::{
    FirstRun, Jitter,
    clock::Clock,
    jitter,
    schedule::{Ended, Next, Schedule},
};

/// Plans the runs of one task, and waits for each.
pub(crate) struct Pace<S> {
    schedule: S,
    clock: Clock,
    jitter: Jitter,
    random: fastrand::Rng,
    /// The time from the planned tick to the one after it.
    gap: Duration,
    /// When the next run begins, jitter and back-off included; `None` is never.
    start: Option<Duration>,
    /// Whether a run has ended since the task last yielded to the runtime.
    has_run: bool,
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
        let mut pace = Self { schedule, clock, jitter, random, gap, start, has_run: false };
        if first_run != FirstRun::Immediately {
            pace.start = pace.delayed(start);
        }
        pace
    }

    /// Waits until the next run is due. Cancellation takes precedence over a run that is due.
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
            if left.is_zero() && !self.has_run {
                return Ok(());
            }
            self.has_run = false;
            if left.is_zero() {
                // Runs without a pause between them must not starve the other tasks of this thread.
                yield_once().await;
            } else {
                ctx.or_cancelled(sleep(left.min(self.schedule.longest_sleep()))).await?;
            }
        }
    }

    /// Plans the run after one that has just ended, no earlier than after `backoff`, and returns
    /// how many ticks were dropped.
    pub(crate) fn ended(&mut self, backoff: Duration) -> u64 {
        self.has_run = true;
        let at = self.clock.now();
        let not_before = at.saturating_add(backoff);
        let slack = if S::IS_ON_A_CLOCK { self.window() } else { Duration::ZERO };
        let next = self.schedule.next(Ended { at, not_before, slack });
        self.plan(next, not_before);
        next.dropped
    }

    /// Returns the random number generator, from which the back-off is drawn too.
    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Returns the time until the next run; `None` if there is none.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.start.map(|start| start.saturating_sub(self.clock.now()))
    }

    /// Returns the time from the tick of the current run to the next one; `None` for a schedule
    /// without ticks.
    pub(crate) fn interval(&self) -> Option<Duration> {
        (S::IS_ON_A_CLOCK && !self.gap.is_zero()).then_some(self.gap)
    }

    fn plan(&mut self, next: Next, not_before: Duration) {
        self.gap = self.schedule.gap();
        self.start = self.delayed(next.tick).map(|start| start.max(not_before));
    }

    /// Adds jitter to a tick.
    fn delayed(&mut self, tick: Option<Duration>) -> Option<Duration> {
        let window = self.window();
        tick?.checked_add(jitter::draw(&mut self.random, window))
    }

    fn window(&self) -> Duration {
        self.jitter.window(self.gap, S::IS_ON_A_CLOCK)
    }
}

/// Yields to the runtime once. Tokio's own needs its feature `rt`.
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
