//! Names in text, told apart where several tasks have the same: `job#3`, by the id that log lines have too.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use task_core::TaskId;

use crate::group::entry::Entry;

/// How many names a line has.
const MOST_NAMES: usize = 20;

/// The names that more than one task had.
#[derive(Debug, Default)]
pub(crate) struct Repeated(HashSet<String>);

impl Repeated {
    /// Adds names; those that come more than once are repeated.
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

    /// Returns the name, with the id if others have the same.
    pub(crate) fn label(&self, name: &str, id: Option<TaskId>) -> String {
        match id {
            Some(id) if self.0.contains(name) => format!("{name}#{id}"),
            _ => String::from(name),
        }
    }
}

/// Returns the first names, with what each is doing, and how many more there are.
pub(crate) fn names<'a>(mut entries: impl Iterator<Item = &'a Arc<Entry>>) -> (Vec<String>, usize) {
    let shown: Vec<_> = entries.by_ref().take(MOST_NAMES).collect();
    let mut repeated = Repeated::default();
    repeated.add(shown.iter().map(|entry| &*entry.name));
    let names = shown.iter().map(|entry| {
        let name = repeated.label(&entry.name, Some(entry.id));
        match entry.status() {
            Some(status) => format!("{name} ({status})"),
            None => name,
        }
    });
    (names.collect(), entries.count())
}
