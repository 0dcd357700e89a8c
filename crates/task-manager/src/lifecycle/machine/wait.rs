//! What is waited for: the tasks of a phase, or a cleanup, until a deadline and then a while for the abort.

use std::time::Duration;

use crate::lifecycle::plan::Tick;

/// What is waited for, until when, and what then.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) deadline: Option<Tick>,
    join: Duration,
    /// Set once the deadline has passed: when to go on without.
    abandon_at: Option<Tick>,
}

#[derive(PartialEq, Eq)]
pub(super) enum Overdue {
    Deadline,
    Join,
}

impl Wait {
    pub(super) fn new(deadline: Option<Tick>, join: Duration) -> Self {
        Self { deadline, join, abandon_at: None }
    }

    /// A share of `left`, the time to join included, for one of `count` that run one by one.
    pub(super) fn share(now: Tick, left: Duration, count: usize, join: Duration) -> Self {
        let share = left / u32::try_from(count).unwrap_or(u32::MAX);
        let join = join.min(share / 4);
        Self::new(Some(now.saturating_add(share - join)), join)
    }

    /// Tells what has passed: the deadline, once, and then the time to join, which ends at `end` at the latest unless
    /// that has passed before anybody looked.
    pub(super) fn overdue(&mut self, now: Tick, end: Option<Tick>) -> Option<Overdue> {
        match self.abandon_at {
            Some(abandon_at) => (abandon_at <= now).then_some(Overdue::Join),
            None if self.deadline.is_some_and(|deadline| deadline <= now) => {
                let joined = now.saturating_add(self.join);
                let end = end.filter(|end| now <= *end);
                self.abandon_at = Some(end.map_or(joined, |end| end.min(joined)));
                Some(Overdue::Deadline)
            }
            None => None,
        }
    }

    /// Takes over what is earlier of another.
    pub(super) fn hurry(&mut self, other: &Self) {
        self.deadline = self.deadline.into_iter().chain(other.deadline).min();
        self.join = self.join.min(other.join);
        let abandon_at = other.deadline.map(|deadline| deadline.saturating_add(other.join));
        self.abandon_at = self.abandon_at.map(|at| abandon_at.map_or(at, |other| at.min(other)));
    }

    pub(super) fn due(&self) -> Option<Tick> {
        self.abandon_at.or(self.deadline)
    }
}
