//! Whether a poll or the drop of a future is under way.

use crate::report::Activity;
use crate::sync::{Ordering, PlainU8};

const IDLE: u8 = 0;
const IN_POLL: u8 = 1;
const IN_DROP: u8 = 2;

/// What the thread that runs a future does with it. Nothing depends on it but what the report says,
/// so it is stored without an order, at next to no cost to a poll, and shuttle need not look into
/// it. What is read may be as old as a store takes to be seen.
#[derive(Default)]
pub(crate) struct ActivityCell(PlainU8);

impl ActivityCell {
    /// Records that the future is about to be polled.
    pub(crate) fn begin_poll(&self) {
        self.0.store(IN_POLL, Ordering::Relaxed);
    }

    /// Records that the future is about to be dropped.
    pub(crate) fn begin_drop(&self) {
        self.0.store(IN_DROP, Ordering::Relaxed);
    }

    /// Records that the poll or the drop has returned.
    pub(crate) fn end(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// Returns what is under way.
    pub(crate) fn get(&self) -> Option<Activity> {
        match self.0.load(Ordering::Relaxed) {
            IN_POLL => Some(Activity::InPoll),
            IN_DROP => Some(Activity::InDrop),
            _ => None,
        }
    }
}
