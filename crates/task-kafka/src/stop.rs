//! The deadlines of the steps of a stop, and of the end of a task that has failed.

use std::{
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use task_core::Context;
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use crate::KafkaSettings;

/// How often the time that the manager grants is looked at while a step lasts.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The end of one task: in a stop, or by itself.
pub(crate) struct Stop<'a> {
    ctx: &'a Context,
    settings: &'a KafkaSettings,
    deadlines: Mutex<Option<Deadlines>>,
}

/// The deadlines of the steps of a stop. The time that one step does not use is left to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// Of the messages in flight: three fifths of the budget.
    pub(crate) drain: Instant,
    /// Of the last commit, or of the abort of a transaction: one fifth more.
    pub(crate) commit: Instant,
    /// Of leaving the group and closing the consumer: the rest.
    pub(crate) close: Instant,
}

impl<'a> Stop<'a> {
    pub(crate) fn new(ctx: &'a Context, settings: &'a KafkaSettings) -> Self {
        Self { ctx, settings, deadlines: Mutex::default() }
    }

    /// Returns the deadlines. The end starts at the first call. Each later call makes them earlier,
    /// if the manager has granted less time meanwhile: in a stop of a task that was ending by
    /// itself, say.
    pub(crate) fn deadlines(&self) -> Deadlines {
        let now = Deadlines::start(self.ctx, self.settings);
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = match *deadlines {
            None => now,
            Some(before) => Deadlines {
                drain: before.drain.min(now.drain),
                commit: before.commit.min(now.commit),
                close: before.close.min(now.close),
            },
        };
        *deadlines.insert(earliest)
    }

    /// Resolves when the task was cancelled and its time to drain has passed.
    pub(crate) async fn overdue(&self) {
        self.ctx.cancelled().await;
        self.until(|it| it.drain, pending::<()>()).await;
    }

    /// Waits for `work` until a deadline. Returns `None` if that has passed, also if it
    /// was made earlier meanwhile.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `work`, which is dropped at the deadline.
    pub(crate) async fn until<W: Future>(
        &self,
        deadline: impl Fn(Deadlines) -> Instant,
        work: W,
    ) -> Option<W::Output> {
        let passed = async {
            loop {
                let (now, deadline) = (Instant::now(), deadline(self.deadlines()));
                if now >= deadline {
                    return;
                }
                sleep_until(deadline.min(now + LOOK_INTERVAL)).await;
            }
        };
        select! {
            biased;
            output = work => Some(output),
            () = passed => None,
        }
    }
}

impl Deadlines {
    /// Computes the deadlines of a stop that starts now.
    ///
    /// The budget is [`KafkaSettings::stop_timeout`] or nine tenths of the time that the manager
    /// grants, if that is shorter. The last tenth is for the task's own return.
    fn start(ctx: &Context, settings: &KafkaSettings) -> Self {
        let granted = ctx.remaining().map_or(Duration::MAX, |remaining| remaining.mul_f32(0.9));
        let budget = settings.stop_timeout.min(granted);
        let now = Instant::now();
        Self { drain: now + budget * 3 / 5, commit: now + budget * 4 / 5, close: now + budget }
    }
}

#[cfg(test)]
mod tests {
    use task_testkit::TestScope;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_that_comes_later_makes_the_deadlines_earlier() {
        let scope = TestScope::new("kafka");
        let ctx = scope.context();
        let settings = KafkaSettings::new("localhost:9092");
        let stop = Stop::new(&ctx, &settings);
        let start = Instant::now();
        assert_eq!(stop.deadlines().close, start + Duration::from_secs(15));
        let close = stop.until(|it| it.close, pending::<()>());
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            scope.cancel_within(Duration::from_secs(3));
        };
        let (closed, ()) = tokio::join!(close, later);
        assert_eq!(closed, None);
        assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
        assert_eq!(stop.until(|it| it.close, async { 7 }).await, Some(7));
    }
}
