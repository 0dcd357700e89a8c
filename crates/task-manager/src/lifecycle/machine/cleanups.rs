//! The cleanups of a group: how many are left, and until when.

use std::time::Duration;

use super::action::Action;
use super::wait::{Overdue, Wait};
use crate::lifecycle::plan::Tick;

/// The cleanups, in sets that run one after another, the last registered first. All of a set run at
/// once. A set may take all of the time that is left but a little for each of the others.
#[derive(Debug, Default)]
pub(super) struct Cleanups {
    /// How many are in each set that is registered and not started.
    sets: Vec<usize>,
    /// Whether the cleanup that was registered last is in the last of them.
    is_last_waiting: bool,
    /// When all of them must be over; `None` until [`begin`](Self::begin).
    end: Option<Tick>,
    /// The set that runs, and how many of it.
    running: Option<(Wait, usize)>,
}

impl Cleanups {
    /// Counts a cleanup in, `beside` the one that was registered before it if that has not begun.
    pub(super) fn add(&mut self, beside: bool) {
        match self.sets.last_mut().filter(|_| beside && self.is_last_waiting) {
            Some(set) => *set += 1,
            None => self.sets.push(1),
        }
        self.is_last_waiting = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub(super) fn begin(&mut self, end: Tick) {
        self.end = Some(end);
    }

    /// Records that one of the running cleanups has ended.
    pub(super) fn ended(&mut self) {
        if let Some((_, running)) = &mut self.running {
            *running = running.saturating_sub(1);
        }
        self.running.take_if(|(_, running)| *running == 0);
    }

    /// Returns what is due. `join` is how long aborted cleanups are waited for.
    pub(super) fn advance(&mut self, now: Tick, join: Duration) -> Option<Action> {
        if let Some((wait, _)) = &mut self.running {
            return match wait.overdue(now, self.end)? {
                Overdue::Deadline => Some(Action::AbortCleanups),
                Overdue::Join => {
                    self.running = None;
                    Some(Action::AbandonCleanups)
                }
            };
        }
        let sets = self.sets.len();
        // Invariant 8: a set is counted out before it runs, so each cleanup runs at most once. One
        // that registers another finds less time left each time, and at last none (FAILURES 34).
        let Some(count) = self.sets.pop() else { return Some(Action::End) };
        self.is_last_waiting = false;
        let left = self.end?.saturating_sub(now);
        if left.is_zero() {
            return Some(Action::SkipCleanups(count));
        }
        self.running = Some((Wait::first_of(sets, now, left, join), count));
        Some(Action::Clean(count))
    }

    /// Moves the end to `end` if it is later, and shares the time that is then left anew. Without
    /// effect before [`begin`](Self::begin).
    pub(super) fn shorten(&mut self, now: Tick, end: Tick, join: Duration) {
        if self.end.is_none_or(|own| own <= end) {
            return;
        }
        self.end = Some(end);
        if let Some((wait, _)) = &mut self.running {
            let left = end.saturating_sub(now);
            wait.shorten(&Wait::first_of(self.sets.len() + 1, now, left, join));
        }
    }

    /// Returns when the running cleanups are aborted.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.running.as_ref().and_then(|(wait, _)| wait.deadline)
    }

    /// Returns when [`advance`](Self::advance) is due next.
    pub(super) fn due(&self) -> Option<Tick> {
        self.running.as_ref().and_then(|(wait, _)| wait.due())
    }
}
