//! Counting the signals of one kind: the escalation, as a pure state machine.

use std::time::{Duration, Instant};

use crate::values::{Reaction, Received, Signal};

/// The steps of one signal, and how many of them were taken.
#[derive(Debug)]
pub(crate) struct Ladder {
    pub(super) signal: Signal,
    steps: Vec<Reaction>,
    /// What follows after the last step.
    beyond: Reaction,
    count: u32,
    pub(super) counted_at: Option<Instant>,
}

impl Ladder {
    pub(crate) fn new(signal: Signal, steps: Vec<Reaction>, beyond: Reaction) -> Self {
        Self { signal, steps, beyond, count: 0, counted_at: None }
    }

    /// Returns whether a further signal may end the process.
    pub(super) fn leads_to_exit(&self) -> bool {
        let taken = usize::try_from(self.count).unwrap_or(usize::MAX);
        self.steps.iter().skip(taken).any(|step| *step == Reaction::Exit)
    }

    /// Counts a signal that arrived at `now`, and returns it with its ordinal and what it leads to.
    /// Returns `None` if it arrived within `window` of the last one that counted.
    ///
    /// The window begins at the last *counted* signal, so that a key that is held down escalates.
    pub(super) fn climb(
        &mut self,
        sender: Option<u32>,
        now: Instant,
        window: Duration,
    ) -> Option<Received> {
        if self.counted_at.is_some_and(|at| now.saturating_duration_since(at) < window) {
            return None;
        }
        let step = usize::try_from(self.count).unwrap_or(usize::MAX);
        let reaction = self.steps.get(step).copied().unwrap_or(self.beyond);
        self.count = self.count.saturating_add(1);
        self.counted_at = Some(now);
        Some(Received { signal: self.signal, sender, count: self.count, reaction })
    }
}
