//! What each further signal of a kind leads to: the escalation, as a pure state machine.

use std::time::{Duration, Instant};

use crate::Signal;

/// What one signal leads to: a step of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reaction {
    /// A line in the log, and nothing else.
    Log,
    /// The task table, written to the log.
    Dump,
    /// Asks the group to stop, in order and with its full budgets.
    Stop,
    /// Asks the group to stop and ends its drain at once.
    EndDrain,
    /// Asks the group to stop and ends drain and grace at once: tasks are aborted, cleanups run on a short budget.
    Abort,
    /// Ends the process at once with the exit code 128 + the signal's number. Nothing is cleaned up.
    Exit,
}

impl Reaction {
    /// Returns the word used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Dump => "dump",
            Self::Stop => "stop",
            Self::EndDrain => "end drain",
            Self::Abort => "abort",
            Self::Exit => "exit",
        }
    }
}

/// The first three steps of a signal that escalates: what `SIGINT` has by default.
pub(crate) const ESCALATING: [Reaction; 3] = [Reaction::Stop, Reaction::Abort, Reaction::Exit];

/// The steps of one signal, and how far it has climbed.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    pub(crate) signal: Signal,
    steps: Vec<Reaction>,
    /// What follows when the steps are used up.
    beyond: Reaction,
    count: u32,
    counted_at: Option<Instant>,
}

impl Ladder {
    pub(crate) fn new(signal: Signal, steps: Vec<Reaction>) -> Self {
        Self { signal, steps, beyond: Reaction::Log, count: 0, counted_at: None }
    }

    /// One that dumps the task table each time.
    pub(crate) fn dumping(signal: Signal) -> Self {
        Self { beyond: Reaction::Dump, ..Self::new(signal, Vec::new()) }
    }

    /// Counts a signal that has come at `now`, and tells what it leads to. `None`: it came within `window` of the last
    /// one that counted, and is a part of that one.
    ///
    /// The window begins at the last *counted* one, so that a key that is held down still climbs.
    pub(crate) fn climb(&mut self, now: Instant, window: Duration) -> Option<(u32, Reaction)> {
        if self.counted_at.is_some_and(|at| now.saturating_duration_since(at) < window) {
            return None;
        }
        let step = usize::try_from(self.count).unwrap_or(usize::MAX);
        let reaction = self.steps.get(step).copied().unwrap_or(self.beyond);
        self.count = self.count.saturating_add(1);
        self.counted_at = Some(now);
        Some((self.count, reaction))
    }
}
