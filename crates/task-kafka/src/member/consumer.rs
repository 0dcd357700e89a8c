//! The consumer, which is never closed on the thread that drops it: librdkafka blocks in a close,
//! for up to a session timeout.

use std::{sync::Arc, time::Duration};

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio::time::{Instant, sleep_until, timeout};

use super::Membership;
use crate::thread::on_thread;

/// The least time that a close is waited for, so that one that takes a millisecond counts even
/// without time left.
pub(crate) const LEAST_CLOSE_TIMEOUT: Duration = Duration::from_millis(20);

/// A consumer. Dropping the last `Arc` closes it on a dedicated thread.
pub(crate) struct Consumer(Option<StreamConsumer<Membership>>);

impl Consumer {
    pub(crate) fn new(consumer: StreamConsumer<Membership>) -> Arc<Self> {
        let consumer = Arc::new(Self(Some(consumer)));
        consumer.native().context().set_consumer(&consumer);
        consumer
    }

    pub(crate) fn native(&self) -> &StreamConsumer<Membership> {
        self.0.as_ref().expect("taken only when dropped or closed")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(consumer) = self.0.take() {
            consumer.context().begin_close();
            drop(on_thread("kafka-close", move || drop(consumer)));
        }
    }
}

/// Leaves the group and closes the consumer. Returns whether it was closed by `deadline`; if not,
/// its thread continues.
pub(crate) async fn close(mut consumer: Arc<Consumer>, deadline: Instant) -> bool {
    // Another `Arc` may live on: for an instant in a settler that is being aborted, or for longer
    // in a commit that the brokers do not answer.
    let mut inner = loop {
        match Arc::try_unwrap(consumer) {
            Ok(inner) => break inner,
            Err(_) if Instant::now() >= deadline => return false,
            Err(shared) => consumer = shared,
        }
        sleep_until(deadline.min(Instant::now() + Duration::from_millis(10))).await;
    };
    let Some(native) = inner.0.take() else { return true };
    native.context().begin_close();
    let closed = on_thread("kafka-close", move || drop(native));
    let left = deadline.saturating_duration_since(Instant::now());
    timeout(left.max(LEAST_CLOSE_TIMEOUT), closed).await.is_ok()
}
