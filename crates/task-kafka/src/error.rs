//! Errors: why a client could not be created, and how librdkafka's errors are passed on.

use rdkafka::error::KafkaError as NativeError;

use crate::faults::Fault;

/// Why a [`Producer`](crate::Producer) or a [`KafkaTask`](crate::KafkaTask) could not be created.
///
/// Invalid settings are the common reason, and are rejected before any broker is contacted. Brokers
/// that are away are no reason: clients connect in the background.
///
/// # Examples
///
/// ```
/// use task_kafka::{KafkaSettings, Producer};
///
/// let error = Producer::new(&KafkaSettings::new("")).unwrap_err();
/// assert!(error.is_settings());
/// assert_eq!(error.to_string(), "invalid Kafka settings: there is no broker to connect to");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KafkaError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("a Kafka consumer has to be created within a Tokio runtime")]
    NoRuntime,
    #[error("invalid Kafka settings: {0}")]
    Invalid(String),
    #[error("setting `{0}` is reserved for the task and cannot be changed")]
    Reserved(String),
    #[error("failed to create the Kafka {role}")]
    Client { role: &'static str, source: NativeError },
}

impl KafkaError {
    /// Returns whether there was no Tokio runtime.
    pub fn is_no_runtime(&self) -> bool {
        matches!(self.0, Kind::NoRuntime)
    }

    /// Returns whether the settings are invalid, by a check of this crate or of librdkafka.
    pub fn is_settings(&self) -> bool {
        matches!(
            self.0,
            Kind::Invalid(_)
                | Kind::Reserved(_)
                | Kind::Client { source: NativeError::ClientConfig(..), .. }
        )
    }
}

/// Converts an error of librdkafka to the source of a more specific error.
///
/// The message of a `NativeError` contains its own source, which would print the source twice; the
/// error code alone does not.
pub(crate) fn cause(error: NativeError) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(code) => code.into(),
        None => error.into(),
    }
}

/// Sorts an error of the consumer, or of a commit.
pub(crate) fn fault(error: &NativeError) -> Fault {
    match error {
        NativeError::MessageConsumptionFatal(_) => Fault::Permanent,
        NativeError::PartitionEOF(_) => Fault::Passes,
        error => error.rdkafka_error_code().map_or(Fault::PassesWithin, Fault::of),
    }
}
