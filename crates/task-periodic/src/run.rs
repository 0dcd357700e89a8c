//! The loop of every periodic task: wait, run, decide what the result means.

use std::{borrow::Cow, future::poll_fn, pin::pin, task::Poll, time::Duration};

use task_core::{Context, Task, scope::discard};
use tracing::{field::Empty, info_span};

use crate::{
    Action, OnFailure, PeriodicTask, Schedule,
    attempt::{Limits, attempt},
    pace::Pace,
    periodic::Options,
    tally::Tally,
};

/// The least age of a run at which the task warns that it is overdue.
const LEAST_OVERDUE_AGE: Duration = Duration::from_secs(1);

impl<S: Schedule, A: Action> Task for PeriodicTask<S, A> {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name: _, schedule, mut action, options } = self;
        let Options { first_run, on_failure, backoff, timeout, jitter, seed, runs_at_stop } =
            options;
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let mut pace = Pace::new(schedule, first_run, jitter, random);
        let mut tally = Tally::new(ctx.clone());
        let mut has_succeeded = false;
        if pace.left() != Some(Duration::ZERO) {
            tally.wait();
        }

        loop {
            let is_stopped = pace.wait(&ctx).await.is_err();
            if is_stopped && !runs_at_stop {
                return Ok(());
            }
            let number = tally.begin();
            let span = info_span!(target: "task", "run", run = number, outcome = Empty);
            let overdue_after = pace.interval().map(|interval| interval.max(LEAST_OVERDUE_AGE));
            let limits = Limits { timeout, overdue_after };
            let on_overdue = |age| span.in_scope(|| tally.overdue(age));
            let result = attempt(&mut action, &ctx, limits, &span, on_overdue).await;
            let is_last = is_stopped || (ctx.is_cancelled() && !runs_at_stop);

            match result {
                Ok(()) => {
                    span.record("outcome", "succeeded");
                    // Only the first success: the action may have revoked its readiness since.
                    if !has_succeeded {
                        has_succeeded = true;
                        ctx.set_ready(true);
                    }
                    let dropped = pace.ended(Duration::ZERO);
                    let next_in = pace.left().filter(|_| !is_last);
                    span.in_scope(|| tally.succeeded(dropped, next_in));
                }
                Err(failure) if failure.is_cancellation(&ctx) => {
                    span.record("outcome", "cancelled");
                    if is_last {
                        return failure.into_result(1);
                    }
                    discard(failure);
                }
                Err(failure) => {
                    span.record("outcome", failure.outcome());
                    // Formatted once, here: it is the user's code and may panic.
                    let text = failure.text();
                    let in_a_row = tally.failed();
                    if on_failure.ends_task(in_a_row) {
                        tally.ending(&text);
                        return failure.into_result(in_a_row);
                    }
                    if on_failure == OnFailure::Record {
                        ctx.record_failure(failure.into_error());
                    } else {
                        discard(failure);
                    }
                    let wait = backoff.wait(in_a_row, pace.random().u64(..));
                    if !is_last && !is_settled(&mut action).await {
                        span.in_scope(|| tally.lingering(&text));
                        if runs_at_stop {
                            action.settled().await;
                        } else if ctx.or_cancelled(action.settled()).await.is_err() {
                            return Ok(()); // the thread's hold keeps the task from ending
                        }
                        let dropped = pace.ended(wait);
                        span.in_scope(|| tally.settled(&text, dropped));
                    } else {
                        let dropped = pace.ended(wait);
                        let next_in = pace.left().filter(|_| !is_last);
                        span.in_scope(|| tally.continuing(&text, dropped, next_in));
                    }
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// Returns whether no thread of the last run is left.
async fn is_settled<A: Action>(action: &mut A) -> bool {
    let mut settled = pin!(action.settled());
    poll_fn(|cx| Poll::Ready(settled.as_mut().poll(cx).is_ready())).await
}
