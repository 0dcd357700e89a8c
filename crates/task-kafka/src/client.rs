//! Where librdkafka's log lines and errors go.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};

/// An outage makes some ten errors a second, of which one in this time is enough.
const PAUSE: Duration = Duration::from_secs(10);

/// librdkafka's own lines. Those about brokers that are away come as errors too, which are
/// throttled.
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

/// Lets one error of a client through every 10 s, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    pub(crate) fn warn(&self, what: &'static str, error: &KafkaError, reason: &str) {
        let is_fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        if let Some(unlogged) = self.passes(Instant::now(), is_fatal) {
            tracing::warn!(%error, reason, unlogged, "{what}");
        }
    }

    /// Tells whether this one passes, and how many before it did not.
    fn passes(&self, now: Instant, always: bool) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    fn one_error_in_ten_seconds_passes_with_the_number_of_the_others() {
        let throttle = Throttle::default();
        let start = Instant::now();
        assert_eq!(throttle.passes(start, false), Some(0));
        assert_eq!(throttle.passes(start + Duration::from_secs(1), false), None);
        assert_eq!(throttle.passes(start + Duration::from_secs(9), false), None);
        assert_eq!(throttle.passes(start + Duration::from_secs(9), true), Some(2));
        assert_eq!(throttle.passes(start + Duration::from_secs(20), false), Some(0));
    }
}
