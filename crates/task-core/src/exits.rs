//! How the tasks of one name ended.

use std::borrow::Cow;

use crate::Outcome;

/// How the tasks of one name ended, in the manager's whole life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exits {
    /// The name; `None` for all the names that there was no room for.
    pub name: Option<Cow<'static, str>>,
    /// In the order of [`Outcome::ALL`].
    counts: [u64; Outcome::ALL.len()],
}

impl Exits {
    /// Makes the counts of a name, or of all others, at zero.
    pub fn new(name: Option<Cow<'static, str>>) -> Self {
        Self { name, ..Self::default() }
    }

    /// Counts one end.
    pub fn count(&mut self, outcome: Outcome) {
        self.counts[outcome as usize] += 1;
    }

    /// Returns how many ended like this.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// Returns how many ended.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}
