//! The cleanups of a group: how many are left, and until when.

use std::time::Duration;

use super::action::Action;
use super::wait::{Overdue, Wait};
use crate::lifecycle::plan::Tick;

/// The cleanups, which run one at a time, each with an equal share of the time that is left.
#[derive(Debug, Default)]
pub(super) struct Cleanups {
    /// How many are registered and not started.
    registered: usize,
    /// When all of them must be over; `None` until [`begin`](Self::begin).
    end: Option<Tick>,
    running: Option<Wait>,
}

impl Cleanups {
    pub(super) fn add(&mut self) {
        self.registered += 1;
    }

    pub(super) fn begin(&mut self, end: Tick) {
        self.end = Some(end);
    }

    /// Records that the running cleanup has ended.
    pub(super) fn ended(&mut self) {
        self.running = None;
    }

    /// Returns what is due. `join` is how long an aborted cleanup is waited for.
    pub(super) fn advance(&mut self, now: Tick, join: Duration) -> Option<Action> {
        if let Some(wait) = &mut self.running {
            return match wait.overdue(now, self.end)? {
                Overdue::Deadline => Some(Action::AbortCleanup),
                Overdue::Join => {
                    self.running = None;
                    Some(Action::AbandonCleanup)
                }
            };
        }
        if self.registered == 0 {
            return Some(Action::End);
        }
        let left = self.end?.saturating_sub(now);
        let wait = Wait::share(now, left, self.registered, join);
        // Invariant 8: it is counted out before it runs, so it runs at most once. One that
        // registers another finds less time left each time, and at last none (FAILURES 34).
        self.registered -= 1;
        if left.is_zero() {
            return Some(Action::SkipCleanup);
        }
        self.running = Some(wait);
        Some(Action::Clean)
    }

    /// Moves the end to `end` if it is later, and shares the time that is then left anew. Without
    /// effect before [`begin`](Self::begin).
    pub(super) fn shorten(&mut self, now: Tick, end: Tick, join: Duration) {
        if self.end.is_none_or(|own| own <= end) {
            return;
        }
        self.end = Some(end);
        if let Some(wait) = &mut self.running {
            let left = end.saturating_sub(now);
            wait.shorten(&Wait::share(now, left, self.registered + 1, join));
        }
    }

    /// Returns when [`advance`](Self::advance) is due next.
    pub(super) fn due(&self) -> Option<Tick> {
        self.running.as_ref().and_then(Wait::due)
    }
}
