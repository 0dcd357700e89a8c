//! Why a client could not be made.

use rdkafka::error::KafkaError;

/// Why a [`Producer`](crate::Producer) or a [`KafkaTask`](crate::KafkaTask) could not be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("a Kafka consumer has to be made within a Tokio runtime")]
    NoRuntime,
    #[error("bad Kafka settings: {0}")]
    Bad(String),
    #[error("setting `{0}` is the task's own and cannot be changed")]
    Reserved(String),
    #[error("failed to make the Kafka {role}")]
    Client { role: &'static str, source: KafkaError },
}

impl Error {
    /// Tells whether there was no Tokio runtime.
    pub fn is_no_runtime(&self) -> bool {
        matches!(self.0, Kind::NoRuntime)
    }

    /// Tells whether the settings are at fault.
    pub fn is_settings(&self) -> bool {
        matches!(
            self.0,
            Kind::Bad(_)
                | Kind::Reserved(_)
                | Kind::Client { source: KafkaError::ClientConfig(..), .. }
        )
    }
}

/// What a call of librdkafka failed with, as the source of a better sentence. `KafkaError` says its
/// own source already in its message, so that it would be said twice.
pub(crate) fn cause(error: KafkaError) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(code) => code.into(),
        None => error.into(),
    }
}
