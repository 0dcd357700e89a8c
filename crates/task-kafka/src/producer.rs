//! The producer: sends records, and tells of each whether it was delivered.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer, Producer as _, PurgeConfig},
};

use crate::{
    Error, Record, Settings,
    client::Log,
    error::{Kind, cause},
    thread::on_thread,
};

/// Sends records to the brokers; cheap to clone.
///
/// It is idempotent: its own retries neither double nor reorder what it sends. Dropping the last clone throws away what
/// has not been delivered, so [`close`](Self::close) it.
#[derive(Clone)]
pub struct Producer(FutureProducer<Log>);

impl Producer {
    /// Makes a producer. It connects in the background.
    ///
    /// # Errors
    ///
    /// [`Error`], if librdkafka refuses a setting.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let made = settings.producer()?.create_with_context(Log::default());
        made.map(Self).map_err(|source| Kind::Client { role: "producer", source }.into())
    }

    /// Puts a record into the queue, and returns at once.
    ///
    /// # Errors
    ///
    /// [`SendError`], if it could not be queued. When the queue is full, try again soon.
    pub fn send(&self, record: &Record) -> Result<Delivery, SendError> {
        match self.0.send_result(record.as_native()) {
            Ok(report) => Ok(Delivery(report)),
            Err((error, _)) => Err(SendError(error)),
        }
    }

    /// Gives up everything that is not delivered, of all clones; the pending [`Delivery`]s fail at once.
    pub fn purge(&self) {
        self.0.purge(PurgeConfig::default().queue().inflight());
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
            let flushed = self.0.flush(budget);
            let left = self.0.in_flight_count();
            flushed
                .map_err(cause)
                .with_context(|| format!("{left} records were not delivered in {budget:?}"))
        });
        flushed.await?
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("in_flight", &self.0.in_flight_count()).finish()
    }
}

/// Resolves when a record was delivered, or never will be.
#[must_use = "a record counts only once it is delivered"]
pub struct Delivery(DeliveryFuture);

impl Future for Delivery {
    type Output = anyhow::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|report| match report {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, record))) => {
                use rdkafka::Message as _;
                let said = format!("failed to deliver to `{}`", record.topic());
                Err(cause(error).context(said))
            }
            Err(_) => Err(anyhow::anyhow!("the producer is gone")),
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
