//! Keeps a line of the log from coming too often, and counts what it kept back.

use std::time::Duration;

use tokio::time::Instant;

/// How often lines of one kind may come.
const PAUSE: Duration = Duration::from_secs(10);

/// Lets one line through, then none for 10 s.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    held_back: u64,
}

impl Throttle {
    /// Returns how many lines were kept back since the last one, if this one may be written.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}
