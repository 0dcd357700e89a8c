//! The loop: wait, run, judge.

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

/// A run on a clock that is younger than this is not worth a warning.
const LONG: Duration = Duration::from_secs(1);

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
            let limits = Limits { timeout, room: pace.room().map(|room| room.max(LONG)) };
            let overstays = |age| span.in_scope(|| tally.overdue(age));
            let result = attempt(&mut action, &ctx, limits, &span, overstays).await;

            match result {
                Ok(()) => {
                    span.record("outcome", "succeeded");
                    if !has_succeeded {
                        has_succeeded = true;
                        ctx.set_ready(true);
                    }
                    let dropped = pace.ended(Duration::ZERO);
                    span.in_scope(|| tally.succeeded(dropped, pace.left()));
                }
                Err(failure) if failure.is_stop(&ctx) => {
                    span.record("outcome", "cancelled");
                    return failure.end(1);
                }
                Err(failure) => {
                    span.record("outcome", failure.word());
                    let text = failure.text();
                    let in_a_row = tally.failed();
                    if on_failure.gives_up(in_a_row) {
                        tally.gave_up(&text);
                        return failure.end(in_a_row);
                    }
                    if on_failure == OnFailure::Record {
                        ctx.record_failure(failure.into_error());
                    } else {
                        discard(failure);
                    }
                    let hold_off = backoff.draw(in_a_row, pace.random());
                    let dropped = pace.ended(hold_off);
                    span.in_scope(|| tally.survived(&text, dropped, pace.left()));
                }
            }
        }
        Ok(())
    }
}
