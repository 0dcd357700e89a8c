//! Limits how often a log line of one kind is emitted, and counts those that were suppressed.

use std::time::Duration;

use tokio::time::Instant;

/// The least time between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(10);

/// Admits one line, then none for 10 s.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Returns how many lines were suppressed since the last one, or `None` if this one is to be
    /// suppressed too.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(self.take_suppressed())
    }

    /// Admits a line after which there is no other, and returns how many were suppressed before.
    pub(crate) fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}
