//! How much time each step of a stop has.

use std::time::Duration;

use task_core::Context;
use tokio::time::{Instant, sleep_until};

use crate::Settings;

/// The instants at which the steps of a stop have to be over. Time that one step leaves is the next
/// one's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) drain: Instant,
    pub(crate) commit: Instant,
    pub(crate) close: Instant,
}

impl Deadlines {
    /// Starts now: the settings' budget, or what the manager grants less a tenth, if that is
    /// shorter.
    pub(crate) fn start(ctx: &Context, settings: &Settings) -> Self {
        let granted = ctx.remaining().map_or(Duration::MAX, |remaining| remaining.mul_f32(0.9));
        let budget = settings.stop_budget.min(granted);
        let now = Instant::now();
        Self { drain: now + budget * 3 / 5, commit: now + budget * 4 / 5, close: now + budget }
    }
}

/// Resolves when the task was cancelled and then had its whole time to drain.
pub(crate) async fn overdue(ctx: &Context, settings: &Settings) -> Deadlines {
    ctx.cancelled().await;
    let deadlines = Deadlines::start(ctx, settings);
    sleep_until(deadlines.drain).await;
    deadlines
}
