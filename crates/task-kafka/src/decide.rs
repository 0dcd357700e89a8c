//! What becomes of a message: the transform's word, asked for again while it wants to retry.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use task_core::Context;
use tokio::time::sleep;

use crate::{Counters, Incoming, Output, Transform, Verdict};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Decider<T> {
    pub(crate) ctx: Context,
    pub(crate) transform: T,
    pub(crate) retry_budget: Duration,
    pub(crate) counters: Counters,
}

/// The output of a message, or why it is refused.
pub(crate) type Decision<E> = Result<Output<E>, Refusal>;

/// Why a message goes to the dead-letter topic.
pub(crate) struct Refusal(pub(crate) String);

impl<T: Transform> Decider<T> {
    /// Asks until the transform has decided. Its awaits race the stop.
    pub(crate) async fn decide(
        &mut self,
        incoming: &mut Incoming<'_>,
    ) -> anyhow::Result<Decision<T::Effect>> {
        let mut pause = FIRST_PAUSE;
        let mut since = None;
        loop {
            let asked = self.transform.transform(incoming);
            let verdict = self.ctx.ready_or_cancelled(asked).await?;
            match verdict.with_context(|| format!("failed to transform {incoming:?}"))? {
                Verdict::Forward(output) => return Ok(Ok(output)),
                Verdict::DeadLetter(reason) => return Ok(Err(Refusal(reason))),
                Verdict::Retry(reason) => {
                    let since = *since.get_or_insert_with(Instant::now);
                    let left = self.retry_budget.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        let attempts = incoming.attempt();
                        return Ok(Err(Refusal(format!("{reason} (attempts: {attempts})"))));
                    }
                    tracing::warn!(?incoming, reason, "trying again in {:?}", pause.min(left));
                    self.ctx.or_cancelled(sleep(pause.min(left))).await?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    incoming.again();
                    self.counters.0.retried.fetch_add(1, Relaxed);
                }
            }
        }
    }
}
