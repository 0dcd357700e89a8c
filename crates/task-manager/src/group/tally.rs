//! What is counted for the group's view, in bounded space (invariant 10): ends by name, and
//! signals.

use std::borrow::Cow;
use std::collections::HashMap;

use task_core::{Exits, Outcome, SignalCount};

use super::Member;
use crate::report::Repeated;

/// The most names that are counted separately.
const MAX_NAMES: usize = 200;
/// The most of them for ephemeral tasks, which come and go under many names.
const MAX_EPHEMERAL: usize = 150;
/// The most signals that are counted separately.
const MAX_SIGNALS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    exits: Vec<Exits>,
    places: HashMap<Cow<'static, str>, usize>,
    /// Where the last end was counted. The next one mostly has the same name, and needs no hash.
    last: usize,
    ephemeral: usize,
    others: Option<Exits>,
    signals: Vec<SignalCount>,
}

impl Tally {
    /// Counts one end. A name that finds no room stays counted among the others.
    pub(crate) fn ended(&mut self, member: &Member, outcome: Outcome) {
        if let Some(last) = self.exits.get_mut(self.last)
            && last.name.as_ref() == Some(&member.name)
        {
            return last.count(outcome);
        }
        let place = self.places.get(&member.name).copied().or_else(|| self.add(member));
        match place.and_then(|place| self.exits.get_mut(place)) {
            Some(exits) => exits.count(outcome),
            None => self.others.get_or_insert_default().count(outcome),
        }
        self.last = place.unwrap_or(self.last);
    }

    fn add(&mut self, member: &Member) -> Option<usize> {
        let is_ephemeral = member.role.is_ephemeral();
        let place = self.exits.len();
        if place == MAX_NAMES || is_ephemeral && self.ephemeral == MAX_EPHEMERAL {
            return None;
        }
        self.ephemeral += usize::from(is_ephemeral);
        self.exits.push(Exits::new(Some(member.name.clone())));
        self.places.insert(member.name.clone(), place);
        Some(place)
    }

    /// Returns the names that more than one task had, of those that are counted separately.
    pub(crate) fn repeated(&self) -> Repeated {
        let mut repeated = Repeated::default();
        for exits in self.exits.iter().filter(|exits| exits.total() > 1) {
            repeated.insert(exits.name.as_deref().unwrap_or_default());
        }
        repeated
    }

    /// Records how many signals of a name have arrived so far.
    pub(crate) fn signal(&mut self, name: Cow<'static, str>, count: u64) {
        if let Some(signal) = self.signals.iter_mut().find(|signal| signal.name == name) {
            signal.count = signal.count.max(count);
        } else if self.signals.len() < MAX_SIGNALS {
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
