//! librdkafka's log lines and errors, emitted as `tracing` events.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    config::RDKafkaLogLevel,
    error::{KafkaError as NativeError, RDKafkaErrorCode},
};

/// The least time between two logged errors of one client. During an outage, librdkafka reports
/// about ten a second.
const PAUSE: Duration = Duration::from_secs(10);

/// Emits a log line of librdkafka, with target `librdkafka`.
///
/// Lines about brokers that are away (facility `FAIL`) are demoted to `DEBUG`: they are reported as
/// errors as well, which are throttled.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        Error if facility == "FAIL" => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        Emerg | Alert | Critical | Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        Notice | Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// Admits one error of a client every 10 s, and counts those that were suppressed.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When the last one was logged, and how many were suppressed since.
    logged: Mutex<(Option<Instant>, u64)>,
    /// What librdkafka said about the last one, logged or not.
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Throttle {
    /// Logs an error as a warning, unless it is suppressed. A fatal error never is.
    pub(crate) fn warn(&self, what: &'static str, error: &NativeError, reason: &str) {
        let is_fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        if let Some(unlogged) = self.admit(Instant::now(), is_fatal) {
            tracing::warn!(%error, reason, unlogged, "{what}");
        }
    }

    /// Logs an error of a client as a warning, as [`warn`](Self::warn) does, and keeps its reason,
    /// which the error itself does not have.
    pub(crate) fn warn_and_keep(&self, what: &'static str, error: &NativeError, reason: &str) {
        let last = error.rdkafka_error_code().map(|code| (code, reason.to_owned()));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        self.warn(what, error, reason);
    }

    /// Returns what librdkafka said about the last error, if that had this code.
    pub(crate) fn last_reason(&self, code: Option<RDKafkaErrorCode>) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (last_code, reason) = last.as_ref()?;
        (Some(*last_code) == code).then(|| reason.clone())
    }

    /// Returns how many errors were suppressed since the last one, or `None` if this one is to be
    /// suppressed too.
    fn admit(&self, now: Instant, always: bool) -> Option<u64> {
        let mut state = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unlogged) = &mut *state;
        if !always && last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            *unlogged += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_in_ten_seconds_is_admitted_with_the_number_of_suppressed_ones() {
        let throttle = Throttle::default();
        let start = Instant::now();
        assert_eq!(throttle.admit(start, false), Some(0));
        assert_eq!(throttle.admit(start + Duration::from_secs(1), false), None);
        assert_eq!(throttle.admit(start + Duration::from_secs(9), false), None);
        assert_eq!(throttle.admit(start + Duration::from_secs(9), true), Some(2));
        assert_eq!(throttle.admit(start + Duration::from_secs(20), false), Some(0));
    }
}
