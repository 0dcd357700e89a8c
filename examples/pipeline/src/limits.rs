//! Limits that stop the service: a time, or a number of messages.

use std::{sync::Arc, time::Duration};

use taskkit::{Context, Phase, Task, task_fn};
use tokio::time::sleep;

use crate::totals::Totals;

/// Returns a task that stops the group after `limit`.
pub fn after(limit: Duration) -> impl Task {
    task_fn("run-for", async move |ctx: Context| {
        ctx.or_cancelled(sleep(limit)).await?;
        ctx.request_stop(format!("it has run for {limit:?}"));
        Ok(())
    })
    .in_phase(Phase::SUPPORT)
}

/// Returns a task that stops the group once `limit` messages are settled.
pub fn at(limit: u64, totals: Arc<Totals>) -> impl Task {
    task_fn("max-events", async move |ctx: Context| {
        while totals.counts().settled < limit {
            ctx.or_cancelled(sleep(Duration::from_millis(20))).await?;
        }
        ctx.request_stop(format!("{limit} messages are settled"));
        Ok(())
    })
    .in_phase(Phase::SUPPORT)
}
