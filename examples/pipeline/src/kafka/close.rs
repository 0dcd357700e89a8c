//! The consumer, and its blocking ends: librdkafka commits and closes on the calling thread, for as long as the brokers
//! take.
//!
//! Neither may run on a worker of the runtime, nor on its blocking pool, which a runtime that is dropped waits for. So
//! each gets a thread of its own, which the process does not wait for.

use std::{io, thread, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use std::sync::Arc;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::group::Membership;

/// A consumer that is never closed on the thread that drops it.
pub(super) struct Consumer(Option<StreamConsumer<Membership>>);

impl Consumer {
    pub(super) fn new(consumer: StreamConsumer<Membership>) -> Arc<Self> {
        Arc::new(Self(Some(consumer)))
    }

    pub(super) fn native(&self) -> &StreamConsumer<Membership> {
        self.0.as_ref().expect("taken only when dropped or closed")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(consumer) = self.0.take() {
            consumer.context().begin_to_close();
            drop(on_thread("kafka-close", move || drop(consumer)));
        }
    }
}

/// Commits what is stored, and waits for the brokers to say so, at most until `deadline`.
///
/// In the middle of a rebalance brokers refuse commits; then it serves the rebalance and tries again.
pub(super) async fn commit(consumer: &Arc<Consumer>, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let committed = on_thread("kafka-commit", {
            let consumer = Arc::clone(consumer);
            move || consumer.native().commit_consumer_state(CommitMode::Sync)
        });
        let committed: KafkaResult<()> = timeout_at(deadline, committed)
            .await
            .context("the brokers did not answer in time")??;
        match committed {
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {
                tracing::info!(%error, "the group is rebalancing: commit is tried again");
                // Messages that come in meanwhile are left unread: their offsets are not stored.
                let pause = deadline.min(Instant::now() + Duration::from_millis(200));
                while timeout_at(pause, consumer.native().recv()).await.is_ok() {}
            }
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {
                return Ok(()); // nothing new since the last commit
            }
            other => return other.context("the brokers refused"),
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(
        error.rdkafka_error_code(),
        Some(RebalanceInProgress | IllegalGeneration | UnknownMemberId)
    )
}

/// Leaves the group and closes the consumer, waiting at most until `deadline`. Tells whether it is closed by then;
/// if not, its thread goes on.
pub(super) async fn close(mut consumer: Arc<Consumer>, deadline: Instant) -> bool {
    // Someone else may hold it for an instant more: a commit that timed out, a settler being aborted.
    let mut inner = loop {
        match Arc::try_unwrap(consumer) {
            Ok(inner) => break inner,
            Err(_) if Instant::now() >= deadline => return false,
            Err(shared) => consumer = shared,
        }
        sleep_until(deadline.min(Instant::now() + Duration::from_millis(10))).await;
    };
    let Some(native) = inner.0.take() else { return true };
    native.context().begin_to_close();
    let closed = on_thread("kafka-close", move || drop(native));
    // A moment in any case: with no time left, a close that takes a millisecond still counts.
    let grace = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(20));
    timeout(grace, closed).await.is_ok()
}

/// Runs `work` on a thread of its own, which goes on if the returned future is dropped.
pub(super) fn on_thread<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = anyhow::Result<R>> {
    let (result, receiver) = oneshot::channel();
    let started: io::Result<_> = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = result.send(work());
    });
    async move {
        started.with_context(|| format!("failed to start thread `{name}`"))?;
        receiver.await.with_context(|| format!("thread `{name}` panicked"))
    }
}
