//! The names of tasks in a log line.

use super::Member;
use crate::report::Repeated;

/// The most names in a line.
const MAX_NAMES: usize = 20;

/// Returns the first names, with what each is doing, and how many more there are.
pub(crate) fn names<'a>(mut entries: impl Iterator<Item = &'a Member>) -> (Vec<String>, usize) {
    let shown: Vec<_> = entries.by_ref().take(MAX_NAMES).collect();
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
