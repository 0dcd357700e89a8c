//! What happened to a group, for those who look while it runs: the last events, in bounded space;
//! and all events, for those who watch.
//!
//! Failures are not among the last events: the [record](super::record) has them, with their times.
//! Nothing in the report depends on what is in here: a watcher that is slow loses events, the
//! report none. Both are written under the group's lock, an end of a task by
//! [`State::settle`](super::State::settle) in the same step, so that a watcher which loses none
//! sees each outcome of the report once, and the version is raised after that lock is released.

use std::collections::VecDeque;

use task_core::scope::{EventsFrom, discard, guarded_name};
use task_core::{EventKind, GroupEvent, Step};

use super::{Event, Garbage, Shared};
use crate::lifecycle::Tick;
use crate::report::{Failure, Repeated, sort_by_key};

/// How many events are kept.
const MAX_EVENTS: usize = 64;
/// How many failures are shown beside them.
const MAX_FAILURES: usize = 32;
/// How many events are kept for watchers.
const MAX_WATCHED: usize = 1_024;
/// How much of a text is shown, in bytes.
const MAX_TEXT: usize = 1 << 10;

/// The last events, and those for watchers.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    notes: VecDeque<Note>,
    /// `None` until there is a watcher.
    watched: Option<Watched>,
}

/// The last events for watchers, of all that came since there is one.
#[derive(Debug, Default)]
struct Watched {
    events: VecDeque<Entry>,
    /// How many came in all: the number of the next.
    count: u64,
}

/// An event for watchers.
#[derive(Clone, Debug)]
enum Entry {
    Note(Note),
    /// Its error is formatted when it is read: that is the user's code.
    Failure(Failure),
}

#[derive(Clone, Debug)]
struct Note {
    at: Tick,
    kind: EventKind,
    text: String,
    /// Whether it follows from the failures of the same instant, as a trigger and a step do.
    follows_failures: bool,
}

impl Journal {
    /// Adds an event, for which the oldest may have to go. Returns what went and is the user's, to
    /// be dropped without the lock.
    #[must_use = "drop it without the lock"]
    pub(crate) fn add(
        &mut self,
        at: Tick,
        kind: EventKind,
        text: String,
        follows_failures: bool,
    ) -> Option<Garbage> {
        if self.notes.len() == MAX_EVENTS {
            self.notes.pop_front();
        }
        let note = Note { at, kind, text, follows_failures };
        let watched = self.watched.as_mut();
        let oldest = watched.and_then(|watched| watched.push(Entry::Note(note.clone())));
        self.notes.push_back(note);
        oldest
    }

    /// Returns whether anyone watches. If not, frequent events need not be made.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// As [`add`](Self::add), for an event that only watchers see.
    #[must_use = "drop it without the lock"]
    pub(crate) fn add_watched(&mut self, at: Tick, kind: EventKind) -> Option<Garbage> {
        let watched = self.watched.as_mut()?;
        let text = text_of(&kind);
        watched.push(Entry::Note(Note { at, kind, text, follows_failures: false }))
    }

    /// As [`add`](Self::add), for a failure, which [`Shared::last_events`] has from the record.
    #[must_use = "drop it without the lock"]
    pub(crate) fn add_failure(&mut self, failure: &Failure) -> Option<Garbage> {
        self.watched.as_mut()?.push(Entry::Failure(failure.clone()))
    }
}

impl Watched {
    fn push(&mut self, entry: Entry) -> Option<Garbage> {
        let is_full = self.events.len() == MAX_WATCHED;
        let oldest = is_full.then(|| self.events.pop_front()).flatten();
        self.events.push_back(entry);
        self.count += 1;
        match oldest {
            Some(Entry::Failure(failure)) => Some(Box::new(failure)),
            Some(Entry::Note(_)) | None => None,
        }
    }

    /// Returns the events from a number on, with how many of them are not kept.
    fn from(&self, from: u64) -> (Vec<Entry>, u64) {
        let first = self.count - self.events.len() as u64;
        let missed = first.saturating_sub(from);
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        (self.events.iter().skip(skipped).cloned().collect(), missed)
    }
}

/// Returns the text of an event that only watchers see.
fn text_of(kind: &EventKind) -> String {
    match kind {
        EventKind::TaskStarted { name, .. } => format!("task `{}` started", guarded_name(name)),
        EventKind::TaskReady { name, is_ready, .. } => ready_text(name, *is_ready),
        EventKind::TaskEnded { name, outcome, .. } => {
            format!("task `{}` ended: {outcome}", guarded_name(name))
        }
        EventKind::CleanupEnded { name, outcome: Some(outcome) } => {
            format!("cleanup `{}` ended: {outcome}", guarded_name(name))
        }
        EventKind::CleanupEnded { name, outcome: None } => {
            format!("cleanup `{}` was not run", guarded_name(name))
        }
        // These have texts of their own.
        _ => String::new(),
    }
}

/// Returns the text of a change of a task's readiness.
pub(crate) fn ready_text(name: &str, is_ready: bool) -> String {
    let ready = if is_ready { "ready" } else { "not ready" };
    format!("task `{}` is {ready}", guarded_name(name))
}

impl Event {
    /// Returns what the journal has of the event. `None` for what is too frequent, and for what the
    /// record has.
    pub(crate) fn note(&self) -> Option<(EventKind, String)> {
        match self {
            Self::Triggered(cause) => {
                Some((EventKind::Triggered, format!("shutdown begins: {cause}")))
            }
            Self::Step(step) => Some((EventKind::Step(*step), step.to_string())),
            Self::Aborting(names) => {
                let more =
                    if names.more > 0 { format!(" and {} more", names.more) } else { "".into() };
                let text = format!("deadline passed, aborting {}{more}", names.names);
                Some((EventKind::Aborting, text))
            }
            Self::Late(subject, outcome, _) => {
                let name = guarded_name(subject.name());
                let text = format!("abandoned task `{name}` ended after all: {outcome}");
                Some((EventKind::Other, text))
            }
            Self::Report(report) => {
                let is_clean = report.is_clean();
                let clean = if is_clean { "clean" } else { "not clean" };
                Some((EventKind::Ended { is_clean }, format!("ended, {clean}")))
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
            | Self::UnaskedEnd(_)
            | Self::Lost(_) => None,
        }
    }
}

impl Shared {
    /// Returns the events and the last failures, in the order of their times. Invariant 9: errors
    /// are formatted without the lock.
    pub(crate) fn last_events(&self) -> Vec<GroupEvent> {
        let state = self.lock();
        let noted = state.journal.notes.clone();
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
            (rank, note.event())
        };
        let mut events: Vec<_> = noted.into_iter().map(event).collect();
        let skipped = failures.len().saturating_sub(MAX_FAILURES);
        events.extend(
            failures
                .iter()
                .skip(skipped)
                .map(|failure: &Failure| (1, failure_event(failure, repeated))),
        );
        // Each may be the last reference to its error.
        discard(failures);
        sort_by_key(&mut events, |(rank, event)| event.at.as_nanos() << 2 | *rank);
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// Returns the events for watchers from a number on; `None` begins to keep them. Invariant 9:
    /// errors are formatted without the lock.
    pub(crate) fn watched_from(&self, from: Option<u64>) -> EventsFrom {
        let mut state = self.lock();
        let is_over = state.machine.step() == Step::Ended;
        let watched = state.journal.watched.get_or_insert_default();
        let next = watched.count;
        let (entries, missed) = watched.from(from.unwrap_or(next));
        drop(state);
        let none = Repeated::default();
        let event = |entry| match entry {
            Entry::Note(note) => note.event(),
            Entry::Failure(failure) => {
                let event = failure_event(&failure, &none);
                // It may be the last reference to its error.
                discard(failure);
                event
            }
        };
        EventsFrom { events: entries.into_iter().map(event).collect(), missed, next, is_over }
    }
}

impl Note {
    fn event(self) -> GroupEvent {
        let mut event = GroupEvent::new(self.at, cut(self.text));
        event.kind = self.kind;
        event
    }
}

fn failure_event(failure: &Failure, repeated: &Repeated) -> GroupEvent {
    let mut event = GroupEvent::new(failure.at, cut(failure.text(repeated)));
    event.kind = EventKind::Failed { name: failure.name.clone().into(), id: failure.id };
    event.is_failure = true;
    event
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let fits = (0..=MAX_TEXT - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(fits);
        text.push_str("...");
    }
    text
}
