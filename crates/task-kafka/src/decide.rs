//! The decision about a message: the verdict of the transform, after its retries.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use task_core::{Cancelled, Context};
use tokio::{select, time::sleep};

use crate::{Counters, Incoming, Output, Transform, Verdict};

/// The pause before the first retry; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Calls the transform until it has decided.
pub(crate) struct Decider<T> {
    pub(crate) ctx: Context,
    pub(crate) transform: T,
    pub(crate) retry_timeout: Duration,
    pub(crate) counters: Counters,
    pub(crate) at_stop: AtStop,
}

/// What becomes of a message when the task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtStop {
    /// Its transform is dropped at its await.
    Drop,
    /// Its transform goes on until the caller drops it, since messages behind it may be done
    /// already.
    Finish,
}

/// The output of a message, or why it is refused.
pub(crate) type Decision<E> = Result<Output<E>, Refusal>;

/// Why a message goes to the dead-letter topic.
pub(crate) struct Refusal(pub(crate) String);

impl<T: Transform> Decider<T> {
    /// Calls the transform until it forwards or refuses the message, or its retries time out.
    ///
    /// With [`AtStop::Drop`], a stop drops the transform at its await, and the result is
    /// `Cancelled`; so it is if `stopping` resolves during a pause.
    pub(crate) async fn decide(
        &mut self,
        incoming: &mut Incoming<'_>,
        stopping: impl Future<Output = ()>,
    ) -> anyhow::Result<Decision<T::Effect>> {
        let mut stopping = pin!(stopping);
        let mut pause = FIRST_PAUSE;
        let mut since = None;
        loop {
            let what = || format!("transforming {incoming:?}");
            let transform = self.counters.0.slow.watch(what, self.transform.transform(incoming));
            let verdict = match self.at_stop {
                AtStop::Drop => self.ctx.ready_or_cancelled(transform).await?,
                AtStop::Finish => transform.await,
            };
            match verdict.with_context(|| format!("failed to transform {incoming:?}"))? {
                Verdict::Forward(output) => return Ok(Ok(output)),
                Verdict::DeadLetter(reason) => return Ok(Err(Refusal(reason))),
                Verdict::Retry(reason) => {
                    let since = *since.get_or_insert_with(Instant::now);
                    let left = self.retry_timeout.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        let attempts = incoming.attempt();
                        return Ok(Err(Refusal(format!("{reason} (attempts: {attempts})"))));
                    }
                    let wait = pause.min(left);
                    tracing::warn!(?incoming, reason, ?wait, "message will be retried");
                    select! {
                        biased;
                        () = &mut stopping => return Err(Cancelled.into()),
                        () = sleep(wait) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    incoming.count_attempt();
                    self.counters.0.retried.fetch_add(1, Relaxed);
                }
            }
        }
    }
}
