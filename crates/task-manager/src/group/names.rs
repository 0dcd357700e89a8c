//! The names of tasks in a log line.

use super::Member;
use crate::report::Repeated;

/// The most names in a line.
const MAX_NAMES: usize = 20;

/// The first names of a list, and how many more there are.
pub(crate) struct Names {
    pub(crate) tasks: String,
    pub(crate) more: usize,
}

impl Names {
    /// Takes the names, each with the status of the task.
    pub(crate) fn of<'a>(mut members: impl Iterator<Item = &'a Member>) -> Self {
        let shown: Vec<_> = members.by_ref().take(MAX_NAMES).collect();
        let mut repeated = Repeated::default();
        repeated.add(shown.iter().map(|member| &*member.name));
        let names = shown.iter().map(|member| {
            let name = repeated.label(&member.name, Some(member.id));
            match member.status() {
                Some(status) => format!("{name} ({status})"),
                None => name,
            }
        });
        Self { tasks: names.collect::<Vec<_>>().join(", "), more: members.count() }
    }
}
