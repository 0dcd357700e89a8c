//! The deadlines of the steps of a stop.

use std::{sync::OnceLock, time::Duration};

use task_core::Context;
use tokio::time::{Instant, sleep_until};

use crate::KafkaSettings;

/// The stop of one task: its deadlines are fixed when they are first asked for.
pub(crate) struct Stop<'a> {
    ctx: &'a Context,
    settings: &'a KafkaSettings,
    deadlines: OnceLock<Deadlines>,
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
        Self { ctx, settings, deadlines: OnceLock::new() }
    }

    /// Returns the deadlines. The first call fixes them: the stop starts then.
    pub(crate) fn deadlines(&self) -> Deadlines {
        *self.deadlines.get_or_init(|| Deadlines::start(self.ctx, self.settings))
    }

    /// Resolves when the task was cancelled and its time to drain has passed.
    pub(crate) async fn overdue(&self) {
        self.ctx.cancelled().await;
        sleep_until(self.deadlines().drain).await;
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
