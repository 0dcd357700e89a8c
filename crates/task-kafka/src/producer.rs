//! The producer: sends records, and tells of each whether it was delivered.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{Producer as _, PurgeConfig, ThreadedProducer},
};
use tokio::sync::oneshot;

use crate::{
    Error, Latency, Record, Settings,
    error::{Kind, cause},
    latency::Stopwatch,
    reports::{Report, Reports, Ticket},
    thread::on_thread,
};

/// Sends records to the brokers; cheap to clone.
///
/// It is idempotent: its own retries neither double nor reorder what it sends. Dropping the last
/// clone throws away what has not been delivered, so [`close`](Self::close) it.
#[derive(Clone)]
pub struct Producer {
    native: Arc<Native>,
    transactional_id: Option<Arc<str>>,
}

/// Not let go on the thread that drops it: librdkafka blocks for that, up to half a second.
struct Native(Option<ThreadedProducer<Reports>>);

impl Producer {
    /// Makes a producer. It connects in the background.
    ///
    /// # Errors
    ///
    /// [`Error`], if a setting is bad by itself or librdkafka refuses it.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let made = settings.producer()?.create_with_context(Reports::default());
        let made = made.map_err(|source| Kind::Client { role: "producer", source })?;
        let transactional_id = settings.transactional_id.as_deref().map(Arc::from);
        Ok(Self { native: Arc::new(Native(Some(made))), transactional_id })
    }

    /// Puts a record into the queue, and returns at once.
    ///
    /// # Errors
    ///
    /// [`SendError`], if it could not be queued. When the queue is full, try again soon.
    pub fn send(&self, record: &Record) -> Result<Delivery, SendError> {
        let (report, delivery) = oneshot::channel();
        let ticket = Box::new(Ticket { sent: Instant::now(), report });
        match self.native().send(record.as_native(ticket)) {
            Ok(()) => Ok(Delivery(delivery)),
            Err((error, _)) => Err(SendError(error)),
        }
    }

    /// Gives up everything that is not delivered, of all clones; the pending [`Delivery`]s fail at
    /// once.
    pub fn purge(&self) {
        self.native().purge(PurgeConfig::default().queue().inflight());
    }

    /// Returns how long records took from [`send`](Self::send) to the brokers' acknowledgement,
    /// those of all clones.
    pub fn latency(&self) -> Latency {
        self.native().context().latency.get()
    }

    /// Waits until everything is delivered, at most for `budget`, and lets the producer go.
    ///
    /// librdkafka blocks for this, which a thread of its own is there for.
    ///
    /// # Errors
    ///
    /// If something was left undelivered; it is thrown away with the last clone.
    ///
    /// # Cancel safety
    ///
    /// The thread goes on if this future is dropped.
    pub async fn close(self, budget: Duration) -> anyhow::Result<()> {
        let flushed = on_thread("kafka-flush", move || {
            let flushed = self.native().flush(budget);
            let left = self.native().in_flight_count();
            flushed
                .map_err(cause)
                .with_context(|| format!("{left} records were not delivered in {budget:?}"))
        });
        flushed.await?
    }

    pub(crate) fn native(&self) -> &ThreadedProducer<Reports> {
        self.native.0.as_ref().expect("taken only when dropped")
    }

    pub(crate) fn transactional_id(&self) -> Option<&str> {
        self.transactional_id.as_deref()
    }

    pub(crate) fn stopwatch(&self) -> Arc<Stopwatch> {
        Arc::clone(&self.native().context().latency)
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("in_flight", &self.native().in_flight_count()).finish()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let native = self.0.take();
        drop(on_thread("kafka-drop", move || drop(native)));
    }
}

/// Resolves when a record was delivered, or never will be.
#[must_use = "a record counts only once it is delivered"]
pub struct Delivery(oneshot::Receiver<Report>);

impl Future for Delivery {
    type Output = anyhow::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(cause(error).context("failed to deliver a record")),
            Err(_) => Err(anyhow!("the producer is gone")),
        })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

/// Why a record could not be queued.
#[derive(Debug, thiserror::Error)]
#[error("failed to queue a record")]
pub struct SendError(#[source] KafkaError);

impl SendError {
    /// Tells whether the queue is full, which passes.
    pub fn is_queue_full(&self) -> bool {
        self.0.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
    }

    /// Tells whether the record is too large, which does not.
    pub fn is_too_large(&self) -> bool {
        self.0.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }
}
