//! Names in text: those that several tasks had are followed by the task's id, as `job#3`.

use std::collections::{HashMap, HashSet};

use task_core::TaskId;
use task_core::scope::guarded_name;

/// The names that more than one task had.
#[derive(Debug, Default)]
pub(crate) struct Repeated(HashSet<String>);

impl Repeated {
    /// Adds names; those that occur more than once are repeated.
    pub(crate) fn add<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut counts = HashMap::<&str, bool>::new();
        for name in names {
            counts.entry(name).and_modify(|is_repeated| *is_repeated = true).or_default();
        }
        let repeated = counts.into_iter().filter(|(_, is_repeated)| *is_repeated);
        self.0.extend(repeated.map(|(name, _)| String::from(name)));
    }

    /// Adds a name that is known to be repeated.
    pub(crate) fn insert(&mut self, name: &str) {
        self.0.insert(String::from(name));
    }

    /// Returns the name as text, with the id if others have the same.
    pub(crate) fn label(&self, name: &str, id: Option<TaskId>) -> String {
        let label = guarded_name(name);
        match id {
            Some(id) if self.0.contains(name) => format!("{label}#{id}"),
            _ => label,
        }
    }
}
