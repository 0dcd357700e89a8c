//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::machine::Why;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Terms that began here.
    pub(crate) terms: AtomicU64,
    pub(crate) deadlines: AtomicU64,
    pub(crate) taken: AtomicU64,
    pub(crate) failed_attempts: AtomicU64,
    /// How long the last renewal took, in microseconds.
    pub(crate) renewal_micros: AtomicU64,
}

impl Tally {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self, why: Why) {
        match why {
            Why::Deadline => Self::count(&self.deadlines),
            Why::Taken => Self::count(&self.taken),
            Why::StepDown => {}
        }
    }
}
