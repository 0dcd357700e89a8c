//! The consumer, which is never closed on the thread that drops it: librdkafka blocks for that, up
//! to a session timeout.

use std::{sync::Arc, time::Duration};

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{group::Membership, thread::on_thread};

/// A consumer. Dropping the last `Arc` of it closes it on a thread of its own.
pub(crate) struct Consumer(Option<StreamConsumer<Membership>>);

impl Consumer {
    pub(crate) fn new(consumer: StreamConsumer<Membership>) -> Arc<Self> {
        let consumer = Arc::new(Self(Some(consumer)));
        consumer.native().context().know(&consumer);
        consumer
    }

    pub(crate) fn native(&self) -> &StreamConsumer<Membership> {
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

/// Leaves the group and closes the consumer, waiting at most until `deadline`. Tells whether it is
/// closed by then; if not, its thread goes on.
pub(crate) async fn close(mut consumer: Arc<Consumer>, deadline: Instant) -> bool {
    // Someone else may hold it for an instant more, such as a settler being aborted; or for longer:
    // a commit that the brokers do not answer.
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
