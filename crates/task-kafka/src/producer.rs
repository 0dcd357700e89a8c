//! The producer: sends records, and reports for each whether it was delivered.

mod reports;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak, atomic::Ordering},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use rdkafka::{
    error::{KafkaError as NativeError, RDKafkaErrorCode},
    producer::{Producer as _, PurgeConfig, ThreadedProducer},
};
use tokio::sync::oneshot;

use self::reports::{DeliveryReports, PendingDelivery, Report};
use crate::{
    KafkaError, KafkaSettings, Latency, Record,
    error::{Kind, cause},
    latency::Histogram,
    settings::LONGEST,
    thread::{on_thread, on_thread_within},
};

/// Sends records to the brokers. Cheap to clone; all clones share one queue.
///
/// The producer is idempotent: its own retries neither duplicate nor reorder records. A record is
/// retried until [`KafkaSettings::message_timeout`].
///
/// Dropping the last clone discards the records that are not delivered; call [`close`](Self::close)
/// to wait for them. The drop itself does not block: a dedicated thread closes the connections.
///
/// # Limits
///
/// librdkafka queues at most 100,000 records or 1 GiB (`queue.buffering.max.messages`,
/// `queue.buffering.max.kbytes`); then [`send`](Self::send) fails with
/// [`SendError::is_queue_full`]. A record of more than 1 MB (`message.max.bytes`) is rejected.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use task_kafka::{KafkaSettings, Producer, Record};
///
/// # async fn announce() -> anyhow::Result<()> {
/// let producer = Producer::new(&KafkaSettings::new("kafka:9092"))?;
/// let delivery = producer.send(&Record::to("greetings").key("en").payload("hello"))?;
/// delivery.await?; // acknowledged by the brokers
/// producer.close(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    native: Arc<Native>,
    transactional_id: Option<Arc<str>>,
    /// The most bytes of a record, as [`Record::wire_bytes`] counts them.
    max_record_bytes: usize,
}

/// A producer that calls may still use which do not return.
pub(crate) struct AbandonedProducer(Weak<Native>);

/// Dropped on a dedicated thread: librdkafka blocks for up to half a second.
struct Native(Option<ThreadedProducer<DeliveryReports>>);

impl Producer {
    /// Creates a producer, which connects in the background.
    ///
    /// # Errors
    ///
    /// Returns [`KafkaError`] if a setting is invalid, or librdkafka rejects it. Brokers that are
    /// away are no error here.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Self::with_reports(settings, DeliveryReports::default())
    }

    /// Creates another producer of the same transactional id, whose latency is counted with that of
    /// this one.
    pub(crate) fn renewed(&self, settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Self::with_reports(settings, DeliveryReports::with_latency(self.delivery_latency()))
    }

    fn with_reports(
        settings: &KafkaSettings,
        reports: DeliveryReports,
    ) -> Result<Self, KafkaError> {
        let failed = |source| Kind::Client { role: "producer", source };
        let config = settings.producer()?;
        let limit = config.create_native_config().and_then(|it| it.get("message.max.bytes"));
        // librdkafka accepts numbers alone.
        let max_record_bytes = limit.map_err(failed)?.parse().unwrap_or(usize::MAX);
        let native = config.create_with_context(reports).map_err(failed)?;
        let transactional_id = settings.transactional_id.as_deref().map(Arc::from);
        let native = Arc::new(Native(Some(native)));
        Ok(Self { native, transactional_id, max_record_bytes })
    }

    /// Queues a record and returns at once.
    ///
    /// The record is sent whether or not the returned [`Delivery`] is awaited. Records of one
    /// partition are delivered in the order in which they were queued.
    ///
    /// # Errors
    ///
    /// Returns [`SendError`] if the record could not be queued. A queue that is full has room again
    /// soon; retry after a few milliseconds.
    pub fn send(&self, record: &Record) -> Result<Delivery, SendError> {
        let (report, delivery) = oneshot::channel();
        let pending = Box::new(PendingDelivery { sent: Instant::now(), report });
        match self.native().send(record.as_native(pending)) {
            Ok(()) => Ok(Delivery(delivery)),
            Err((error, _)) => Err(SendError(error)),
        }
    }

    /// Discards all records that are not delivered, those of all clones. Their [`Delivery`]s fail
    /// soon after.
    ///
    /// This method does not block. librdkafka may, for as long as it resolves the name of a broker,
    /// so a dedicated thread calls it.
    pub fn purge(&self) {
        let this = self.clone();
        let purge = move || this.native().purge(PurgeConfig::default().queue().inflight());
        drop(on_thread("kafka-purge", purge));
    }

    /// Returns how long the records of all clones took from [`send`](Self::send) to the brokers'
    /// acknowledgement.
    pub fn latency(&self) -> Latency {
        self.native().context().latency.get()
    }

    /// Waits until every queued record is delivered, at most for `timeout`, and drops this clone. A
    /// timeout longer than a week counts as a week.
    ///
    /// librdkafka blocks for this; a dedicated thread calls it.
    ///
    /// # Errors
    ///
    /// Returns an error if records were not delivered in time. They are discarded with the last
    /// clone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop the thread, which continues to wait for deliveries.
    pub async fn close(self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = timeout.min(LONGEST);
        let flushed = on_thread_within("kafka-flush", timeout, move || {
            let flushed = self.native().flush(timeout);
            let left = self.native().in_flight_count();
            flushed
                .map_err(cause)
                .with_context(|| format!("{left} records were not delivered in {timeout:?}"))
        });
        flushed.await?
    }

    /// Returns the number of `abandoned` producers that something still uses.
    pub(crate) fn still_used(abandoned: &mut Vec<AbandonedProducer>) -> usize {
        abandoned.retain(|producer| producer.0.strong_count() > 0);
        abandoned.len()
    }

    /// Discards the records and leaves the producer to the calls that use it still.
    pub(crate) fn abandon(self) -> AbandonedProducer {
        self.purge();
        AbandonedProducer(Arc::downgrade(&self.native))
    }

    pub(crate) fn native(&self) -> &ThreadedProducer<DeliveryReports> {
        self.native.0.as_ref().expect("taken only when dropped")
    }

    /// Returns the most bytes that a record may have. A larger one is refused at once.
    pub(crate) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes
    }

    pub(crate) fn transactional_id(&self) -> Option<&str> {
        self.transactional_id.as_deref()
    }

    pub(crate) fn delivery_latency(&self) -> Arc<Histogram> {
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
        if let Some(native) = &native {
            native.context().is_dropped.store(true, Ordering::SeqCst);
        }
        drop(on_thread("kafka-drop", move || drop(native)));
    }
}

/// The outcome of a queued record: resolves when the brokers acknowledged it, or never will.
///
/// # Errors
///
/// Resolves to an error if the record was not delivered within
/// [`KafkaSettings::message_timeout`], was refused by the brokers, or was
/// [purged](Producer::purge).
///
/// # Cancel safety
///
/// Dropping it does not recall the record: its outcome is unknown then.
#[must_use = "a record counts only once it is delivered"]
pub struct Delivery(oneshot::Receiver<Report>);

impl Future for Delivery {
    type Output = anyhow::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(cause(error).context("failed to deliver a record")),
            Err(_) => Err(anyhow!("the producer was dropped before a record was delivered")),
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
pub struct SendError(#[source] NativeError);

impl SendError {
    /// Returns whether the queue is full, which is temporary.
    pub fn is_queue_full(&self) -> bool {
        self.0.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
    }

    pub(crate) fn native(&self) -> &NativeError {
        &self.0
    }

    /// Returns whether the record is too large, which is permanent.
    pub fn is_too_large(&self) -> bool {
        self.0.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn librdkafka_refuses_the_records_that_are_counted_as_too_large_and_no_others() {
        let settings =
            KafkaSettings::new("127.0.0.1:1").producer_setting("message.max.bytes", "0x1000");
        let producer = Producer::new(&settings).unwrap();
        let limit = producer.max_record_bytes();
        assert_eq!(limit, 0x1000);
        let headers = |record: Record, bytes: &[usize]| {
            bytes.iter().fold(record, |it, &bytes| it.header("name", vec![b'x'; bytes]))
        };
        for record in [
            Record::to("out"),
            Record::to("out").key([b'k'; 700]),
            headers(Record::to("out").null_header("nothing"), &[0, 1, 63, 64, 128]),
            headers(Record::to("out").key("k").header("n".repeat(64), ""), &[300; 7]),
        ] {
            let left = limit - record.clone().payload("").wire_bytes();
            let fits = record.clone().payload(vec![b'p'; left]);
            assert_eq!(fits.wire_bytes(), limit);
            drop(producer.send(&fits).unwrap());
            let error = producer.send(&record.payload(vec![b'p'; left + 1])).unwrap_err();
            assert!(error.is_too_large(), "{error}");
        }
    }
}
