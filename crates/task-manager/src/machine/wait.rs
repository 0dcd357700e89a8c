//! What is waited for: the tasks of a phase, or a cleanup, until a deadline and then a while for the abort.

use std::time::Duration;

use crate::plan::Tick;

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

    /// Tells what has passed, the deadline once and then the time to join.
    pub(super) fn overdue(&mut self, now: Tick) -> Option<Overdue> {
        match self.abandon_at {
            Some(abandon_at) => (abandon_at <= now).then_some(Overdue::Join),
            None if self.deadline.is_some_and(|deadline| deadline <= now) => {
                self.abandon_at = Some(now.saturating_add(self.join));
                Some(Overdue::Deadline)
            }
            None => None,
        }
    }

    pub(super) fn due(&self) -> Option<Tick> {
        self.abandon_at.or(self.deadline)
    }
}
