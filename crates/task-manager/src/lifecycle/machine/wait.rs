//! A wait for tasks or for cleanups: until a deadline, and then for the abort.

use std::time::Duration;

use crate::lifecycle::plan::{LONGEST_RESERVE, Tick};

/// A wait with a deadline, at which what is waited for is aborted, and a time to join, after which
/// it is abandoned.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) deadline: Option<Tick>,
    join: Duration,
    /// Set once the deadline has passed.
    abandon_at: Option<Tick>,
}

/// What a wait has run out of.
#[derive(PartialEq, Eq)]
pub(super) enum Overdue {
    /// The deadline has passed: abort.
    Deadline,
    /// The time to join has passed too: abandon.
    Join,
}

impl Wait {
    pub(super) fn new(deadline: Option<Tick>, join: Duration) -> Self {
        Self { deadline, join, abandon_at: None }
    }

    /// Returns a wait for what is aborted already.
    pub(super) fn aborted(abandon_at: Tick) -> Self {
        Self { deadline: None, join: Duration::ZERO, abandon_at: Some(abandon_at) }
    }

    /// Returns a wait for the first of `count` that run one after another in `left`, join included.
    /// It may take all but a little for each of the others: up to 1 s, and half of it all together.
    pub(super) fn first_of(count: usize, now: Tick, left: Duration, join: Duration) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let reserve = LONGEST_RESERVE.min(left / count / 2);
        let part = left.saturating_sub(reserve.saturating_mul(count - 1));
        // Of a small part the join must not take the most.
        let join = join.min(part / 4);
        Self::new(Some(now.saturating_add(part - join)), join)
    }

    /// Returns what has passed: the deadline, once, and then the time to join.
    pub(super) fn overdue(&mut self, now: Tick, end: Option<Tick>) -> Option<Overdue> {
        if let Some(abandon_at) = self.abandon_at {
            return (abandon_at <= now).then_some(Overdue::Join);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        // The join counts from the abort, which may come late, and ends with the shutdown. If even
        // that was overslept, what was aborted only now still gets the time to be dropped.
        let joined = now.saturating_add(self.join);
        let end = end.filter(|end| now <= *end);
        self.abandon_at = Some(end.map_or(joined, |end| end.min(joined)));
        Some(Overdue::Deadline)
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.abandon_at.is_some()
    }

    /// Waits without a limit: what is left is waited for one by one.
    pub(super) fn lift(&mut self) {
        self.abandon_at = Some(Tick::MAX);
    }

    /// Sets the deadline anew, and shortens the time to join of what is not aborted yet.
    pub(super) fn tighten(&mut self, deadline: Option<Tick>, join: Duration) {
        self.deadline = deadline;
        self.join = self.join.min(join);
    }

    /// Takes over whatever is earlier in `other`.
    pub(super) fn shorten(&mut self, other: &Self) {
        self.deadline = self.deadline.into_iter().chain(other.deadline).min();
        self.join = self.join.min(other.join);
        let abandon_at = other.deadline.map(|deadline| deadline.saturating_add(other.join));
        // Only if it was aborted already: before, the time to join follows from the deadline.
        self.abandon_at = self.abandon_at.map(|at| abandon_at.map_or(at, |other| at.min(other)));
    }

    /// Returns when [`overdue`](Self::overdue) next returns something.
    pub(super) fn due(&self) -> Option<Tick> {
        self.abandon_at.or(self.deadline)
    }
}
