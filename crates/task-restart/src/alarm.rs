//! One timer for all that a restarting task waits for.

use std::{pin::Pin, task::Context};

use crate::rt::{Instant, Sleep};

/// Wakes its task at the earliest of the instants that it waits for. Whether one has passed is read
/// from the clock, since Tokio's cooperative budget makes an elapsed timer return `Pending`.
pub(crate) struct Alarm<'a> {
    sleep: Pin<&'a mut Sleep>,
    armed: Option<Instant>,
}

impl<'a> Alarm<'a> {
    pub(crate) fn new(sleep: Pin<&'a mut Sleep>) -> Self {
        Self { sleep, armed: None }
    }

    /// Has the task woken at `due`. Returns whether that has just passed, and the clock is to be
    /// read again.
    pub(crate) fn is_due(&mut self, due: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let Some(at) = due else { return false };
        if self.armed != due {
            self.sleep.as_mut().reset(at);
            self.armed = due;
        }
        let is_due = self.sleep.as_mut().poll(cx).is_ready();
        if is_due {
            self.armed = None;
        }
        is_due
    }
}

/// What a task waits for in a run as well as between two.
pub(crate) struct Waits<'a> {
    pub(crate) alarm: Alarm<'a>,
    /// The number of the requests for a restart that the last run is an answer to.
    pub(crate) served: u64,
    /// Until when the readiness of an earlier run is kept.
    pub(crate) keep_until: Option<Instant>,
}

/// Returns the earlier of two instants, of which either may be never.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
