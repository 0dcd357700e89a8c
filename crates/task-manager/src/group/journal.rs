//! What happened to a group, for those who look while it runs: the last events, in bounded space.
//!
//! Failures are not in here: the [record](super::record) has them, with their times.

use std::collections::VecDeque;

use task_core::GroupEvent;
use task_core::scope::{discard, guarded_name};

use super::{Event, Shared};
use crate::lifecycle::Tick;
use crate::report::{Failure, Repeated};

/// How many events are kept.
const MAX_EVENTS: usize = 64;
/// How many failures are shown beside them.
const MAX_FAILURES: usize = 32;
/// How much of a text is shown, in bytes.
const MAX_TEXT: usize = 1 << 10;

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Journal(VecDeque<Note>);

#[derive(Clone, Debug)]
struct Note {
    at: Tick,
    text: String,
    /// Whether it follows from the failures of the same instant, as a trigger and a step do.
    follows_failures: bool,
}

impl Journal {
    /// Adds an event, for which the oldest may have to go.
    pub(crate) fn add(&mut self, at: Tick, text: String, follows_failures: bool) {
        if self.0.len() == MAX_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(Note { at, text, follows_failures });
    }
}

impl Event {
    /// Returns what the journal says of the event. `None` for what is too frequent, and for what
    /// the record has.
    pub(crate) fn note(&self) -> Option<String> {
        match self {
            Self::Triggered(cause) => Some(format!("shutdown begins: {cause}")),
            Self::Step(step) => Some(step.to_string()),
            Self::Aborting(names) => {
                let more =
                    if names.more > 0 { format!(" and {} more", names.more) } else { "".into() };
                Some(format!("deadline passed, aborting {}{more}", names.names))
            }
            Self::Late(subject, outcome, _) => {
                let name = guarded_name(subject.name());
                Some(format!("abandoned task `{name}` ended after all: {outcome}"))
            }
            Self::Report(report) => {
                let clean = if report.is_clean() { "clean" } else { "not clean" };
                Some(format!("ended, {clean}"))
            }
            Self::Started(_)
            | Self::Ready(..)
            | Self::StopAsked(_)
            | Self::Ended(..)
            | Self::Failed(..)
            | Self::GroupFailed(..)
            | Self::LateSetup(_)
            | Self::Dropped { .. }
            | Self::Waiting(..)
            | Self::Lost(_) => None,
        }
    }
}

impl Shared {
    /// Returns the events and the last failures, in the order of their times. Invariant 9: errors
    /// are formatted without the lock.
    pub(crate) fn last_events(&self) -> Vec<GroupEvent> {
        let state = self.lock();
        let noted = state.journal.0.clone();
        let failures = match self.report.get() {
            Some(report) => report.failures().to_vec(),
            None => state.record.failures(&state.tally.repeated()),
        };
        drop(state);
        let none = Repeated::default();
        let repeated = self.report.get().map_or(&none, |report| &report.0.repeated);
        let event = |note: Note| {
            // Of one instant: what led to the failures, then these, then what follows from them.
            let rank = if note.follows_failures { 2 } else { 0 };
            (rank, GroupEvent::new(note.at, cut(note.text)))
        };
        let mut events: Vec<_> = noted.into_iter().map(event).collect();
        let skipped = failures.len().saturating_sub(MAX_FAILURES);
        events.extend(failures.iter().skip(skipped).map(|failure: &Failure| {
            let text = cut(failure.text(repeated));
            let mut event = GroupEvent::new(failure.at, text);
            event.is_failure = true;
            (1, event)
        }));
        // Each may be the last reference to its error.
        discard(failures);
        // Stable: what is alike stays in its order.
        events.sort_by_key(|(rank, event)| (event.at, *rank));
        events.into_iter().map(|(_, event)| event).collect()
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let fits = (0..=MAX_TEXT - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(fits);
        text.push_str("...");
    }
    text
}
