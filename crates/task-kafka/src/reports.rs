//! The producer's callbacks: what became of each record.

use std::{sync::Arc, time::Instant};

use rdkafka::{
    ClientContext, Statistics, config::RDKafkaLogLevel, error::KafkaError, message::DeliveryResult,
    producer::ProducerContext,
};
use tokio::sync::oneshot;

use crate::{
    client::{Throttle, log},
    latency::Stopwatch,
};

/// What became of a record.
pub(crate) type Report = Result<(), KafkaError>;

/// What librdkafka keeps for a record until it is reported.
pub(crate) struct Ticket {
    pub(crate) sent: Instant,
    pub(crate) report: oneshot::Sender<Report>,
}

/// Called on the producer's own thread.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    errors: Throttle,
    pub(crate) latency: Arc<Stopwatch>,
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let report = match result {
            Ok(_) => {
                self.latency.record(ticket.sent.elapsed());
                Ok(())
            }
            Err((error, _)) => Err(error.clone()),
        };
        // Nobody may be waiting any more.
        let _ = ticket.report.send(report);
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.warn("kafka producer", &error, reason);
    }

    fn stats(&self, _statistics: Statistics) {}
}
