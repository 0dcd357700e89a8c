//! When the next run begins: the schedule, its clock, and the random numbers of jitter and
//! back-off.

use std::{future::poll_fn, task::Poll, time::Duration};

use task_core::{Cancelled, Context, scope::seconds};
use tokio::time::sleep;
use tracing::warn;

use crate::{
    FirstRun, Jitter,
    clock::{Clock, Reading, Step},
    jitter,
    schedule::{Ended, Schedule},
    throttle::Throttle,
};

/// Plans the runs of one task, and waits for each.
pub(crate) struct Pace<S> {
    schedule: S,
    clock: Clock,
    jitter: Jitter,
    random: fastrand::Rng,
    /// The time from the planned tick to the one after it.
    gap: Duration,
    /// When the next run is due by the schedule's clock, jitter included; `None` is never.
    due: Option<Duration>,
    /// When the next run may begin by the steady clock: after a back-off, and what else is counted
    /// by the time that passes. No step of the schedule's clock moves it.
    not_before: Duration,
    /// The last reading of the clock.
    seen: Reading,
    steps: Throttle,
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
        let seen = clock.read();
        let tick = schedule.first(first_run, seen.time);
        let gap = schedule.gap();
        let mut pace = Self {
            schedule,
            clock,
            jitter,
            random,
            gap,
            due: None,
            not_before: Duration::ZERO,
            seen,
            steps: Throttle::default(),
            has_run: false,
        };
        let start = if first_run == FirstRun::Immediately { tick } else { pace.delayed(tick) };
        pace.plan(start);
        pace
    }

    /// Waits until the next run is due. Cancellation takes precedence over a run that is due.
    pub(crate) async fn wait(&mut self, ctx: &Context) -> Result<(), Cancelled> {
        loop {
            if ctx.is_cancelled() {
                return Err(Cancelled);
            }
            if self.look() {
                let tick = self.schedule.resume();
                self.gap = self.schedule.gap();
                let start = self.delayed(tick);
                self.plan(start);
            }
            let left = self.left_at(self.seen).unwrap_or(Duration::MAX);
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
        self.look();
        let Reading { time: at, steady } = self.seen;
        self.not_before = steady.saturating_add(backoff);
        let not_before = at.saturating_add(backoff);
        let slack = if S::IS_ON_A_CLOCK { self.window() } else { Duration::ZERO };
        let next = self.schedule.next(Ended { at, not_before, slack });
        self.gap = self.schedule.gap();
        let start = self.delayed(next.tick);
        self.plan(start);
        next.dropped
    }

    /// Returns the random number generator, from which the back-off is drawn too.
    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Returns the time until the next run; `None` if there is none.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.left_at(self.clock.read())
    }

    /// Returns the time from the tick of the current run to the next one; `None` for a schedule
    /// without ticks.
    pub(crate) fn interval(&self) -> Option<Duration> {
        (S::IS_ON_A_CLOCK && !self.gap.is_zero()).then_some(self.gap)
    }

    fn left_at(&self, reading: Reading) -> Option<Duration> {
        let until_due = self.due?.saturating_sub(reading.time);
        Some(until_due.max(self.not_before.saturating_sub(reading.steady)))
    }

    /// Plans the next run for an instant of the schedule's clock.
    fn plan(&mut self, start: Option<Duration>) {
        self.due = start;
        if self.schedule.is_waiting()
            && let Some(start) = start
        {
            let wait = start.saturating_sub(self.seen.time);
            self.not_before = self.not_before.max(self.seen.steady.saturating_add(wait));
            self.due = Some(Duration::ZERO);
        }
    }

    /// Reads the clock, and returns whether it has stepped so that the plan no longer holds.
    fn look(&mut self) -> bool {
        let (before, reading) = (self.seen, self.clock.read());
        self.seen = reading;
        let step = before.step_to(reading);
        let is_stale = self.schedule.revise(reading.time, step);
        if let Some(step) = step
            && let Some(unlogged) = self.steps.admit()
        {
            let by = seconds(step.length());
            match step {
                Step::Back(_) => warn!(
                    target: "task",
                    by,
                    is_planned_anew = is_stale,
                    unlogged,
                    "the system's clock was set back",
                ),
                Step::Forward(_) => warn!(
                    target: "task",
                    by,
                    ticks = self.schedule.skipped(before.expected_at(reading), reading.time),
                    unlogged,
                    "the system's clock was set forward, or the system was suspended",
                ),
            }
        }
        is_stale
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
