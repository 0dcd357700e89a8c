//! What is counted for the group's view, in bounded space (invariant 10): ends by name, and signals.

use std::{borrow::Cow, collections::HashMap};

use task_core::{Exits, Outcome, SignalCount};

use crate::{group::entry::Entry, report::label::Repeated};

/// How many names have counts of their own.
const MOST_NAMES: usize = 200;
/// How many of them may be taken by ephemeral tasks, which come and go under many names.
const MOST_EPHEMERAL: usize = 150;
/// How many signals are told apart.
const MOST_SIGNALS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    exits: Vec<Exits>,
    places: HashMap<Cow<'static, str>, usize>,
    /// Where the last end was counted: most often the next one has the same name, and needs no hash.
    last: usize,
    ephemeral: usize,
    others: Option<Exits>,
    signals: Vec<SignalCount>,
}

impl Tally {
    /// Counts one end. A name that finds no room is counted among the others for good.
    pub(crate) fn ended(&mut self, entry: &Entry, outcome: Outcome) {
        if let Some(last) = self.exits.get_mut(self.last)
            && last.name.as_ref() == Some(&entry.name)
        {
            return last.count(outcome);
        }
        let place = self.places.get(&entry.name).copied().or_else(|| self.add(entry));
        match place.and_then(|place| self.exits.get_mut(place)) {
            Some(exits) => exits.count(outcome),
            None => self.others.get_or_insert_default().count(outcome),
        }
        self.last = place.unwrap_or(self.last);
    }

    fn add(&mut self, entry: &Entry) -> Option<usize> {
        let is_ephemeral = entry.role.is_ephemeral();
        let place = self.exits.len();
        if place == MOST_NAMES || is_ephemeral && self.ephemeral == MOST_EPHEMERAL {
            return None;
        }
        self.ephemeral += usize::from(is_ephemeral);
        self.exits.push(Exits::new(Some(entry.name.clone())));
        self.places.insert(entry.name.clone(), place);
        Some(place)
    }

    /// Returns the names that more than one task had, of those that are told apart.
    pub(crate) fn repeated(&self) -> Repeated {
        let mut repeated = Repeated::default();
        for exits in self.exits.iter().filter(|exits| exits.total() > 1) {
            repeated.insert(exits.name.as_deref().unwrap_or_default());
        }
        repeated
    }

    /// Takes note that so many signals of a name have come.
    pub(crate) fn signal(&mut self, name: Cow<'static, str>, count: u64) {
        if let Some(signal) = self.signals.iter_mut().find(|signal| signal.name == name) {
            signal.count = signal.count.max(count);
        } else if self.signals.len() < MOST_SIGNALS {
            self.signals.push(SignalCount::new(name, count));
        }
    }

    pub(crate) fn exits(&self) -> Vec<Exits> {
        self.exits.iter().chain(&self.others).cloned().collect()
    }

    pub(crate) fn signals(&self) -> Vec<SignalCount> {
        self.signals.clone()
    }
}
