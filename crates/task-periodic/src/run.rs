//! The loop of every periodic task: wait, run, decide what the result means.

use std::{borrow::Cow, time::Duration};

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
        let Options { first_run, on_failure, backoff, timeout, jitter, seed } = options;
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let mut pace = Pace::new(schedule, first_run, jitter, random);
        let mut tally = Tally::new(ctx.clone());
        let mut has_succeeded = false;
        if pace.left() != Some(Duration::ZERO) {
            tally.wait();
        }

        while pace.wait(&ctx).await.is_ok() {
            let number = tally.begin();
            let span = info_span!(target: "task", "run", run = number, outcome = Empty);
            let overdue_after = pace.interval().map(|interval| interval.max(LEAST_OVERDUE_AGE));
            let limits = Limits { timeout, overdue_after };
            let on_overdue = |age| span.in_scope(|| tally.overdue(age));
            let result = attempt(&mut action, &ctx, limits, &span, on_overdue).await;

            match result {
                Ok(()) => {
                    span.record("outcome", "succeeded");
                    // Only the first success: the action may have revoked its readiness since.
                    if !has_succeeded {
                        has_succeeded = true;
                        ctx.set_ready(true);
                    }
                    let dropped = pace.ended(Duration::ZERO);
                    span.in_scope(|| tally.succeeded(dropped, pace.left()));
                }
                Err(failure) if failure.is_cancellation(&ctx) => {
                    span.record("outcome", "cancelled");
                    return failure.into_result(1);
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
                    let wait = backoff.draw(in_a_row, pace.random());
                    let dropped = pace.ended(wait);
                    span.in_scope(|| tally.continuing(&text, dropped, pace.left()));
                }
            }
        }
        Ok(())
    }
}
