//! The callbacks of the producer: what became of each record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rdkafka::{
    ClientContext, Statistics, config::RDKafkaLogLevel, error::KafkaError as NativeError,
    message::DeliveryResult, producer::ProducerContext,
};
use tokio::sync::oneshot;

use crate::{
    latency::Histogram,
    log::{Throttle, log},
};

/// The delivery report of a record.
pub(super) type Report = Result<(), NativeError>;

/// What librdkafka keeps with a record until its report.
pub(crate) struct PendingDelivery {
    pub(super) sent: Instant,
    pub(super) report: oneshot::Sender<Report>,
}

/// Receives the reports, on the producer's own thread.
#[derive(Debug, Default)]
pub(crate) struct DeliveryReports {
    errors: Throttle,
    /// The last clone is gone, and the connections are being closed.
    pub(super) is_dropped: AtomicBool,
    pub(super) latency: Arc<Histogram>,
}

impl DeliveryReports {
    pub(super) fn with_latency(latency: Arc<Histogram>) -> Self {
        Self { latency, ..Self::default() }
    }
}

impl ProducerContext for DeliveryReports {
    type DeliveryOpaque = Box<PendingDelivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<PendingDelivery>) {
        let report = match result {
            Ok(_) => {
                self.latency.record(pending.sent.elapsed());
                Ok(())
            }
            Err((error, _)) => Err(error.clone()),
        };
        // Fails only if the `Delivery` was dropped.
        let _ = pending.report.send(report);
    }
}

impl ClientContext for DeliveryReports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    /// Brokers that go away while the connections are closed concern nobody: no record is left.
    fn error(&self, error: NativeError, reason: &str) {
        if self.is_dropped.load(Ordering::SeqCst) {
            return tracing::debug!(%error, reason, "kafka producer, while it is dropped");
        }
        self.errors.warn("kafka producer", &error, reason);
    }

    fn stats(&self, _statistics: Statistics) {}
}
