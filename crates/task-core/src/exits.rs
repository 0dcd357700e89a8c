//! How the tasks of one name ended.

use std::borrow::Cow;

use crate::Outcome;

/// How the tasks of one name ended, in the manager's whole life. It is what a counter with the
/// labels `task` and `outcome` shows.
///
/// # Examples
///
/// ```
/// use task_core::{Exits, Outcome};
///
/// let mut exits = Exits::new(Some("job".into()));
/// exits.count(Outcome::Completed);
/// exits.count(Outcome::Failed);
/// assert_eq!((exits.of(Outcome::Failed), exits.total()), (1, 2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exits {
    /// The name. `None` for all names beyond the limit together.
    pub name: Option<Cow<'static, str>>,
    /// In the order of [`Outcome::ALL`].
    counts: [u64; Outcome::ALL.len()],
}

impl Exits {
    /// Creates the counts of a name, or of all other names, at zero.
    pub fn new(name: Option<Cow<'static, str>>) -> Self {
        Self { name, ..Self::default() }
    }

    /// Counts one end.
    pub fn count(&mut self, outcome: Outcome) {
        self.counts[outcome as usize] += 1;
    }

    /// Returns how many ended with this outcome.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// Returns how many ended in total.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}
