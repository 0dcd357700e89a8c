//! The names of tasks, or of cleanups, in a log line.

use task_core::scope::guarded_name;

use super::Member;
use crate::report::Repeated;

/// The most names in a line.
const MAX_NAMES: usize = 20;

/// The first names of a list, and how many more there are.
pub(crate) struct Names {
    pub(crate) names: String,
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
                Some(status) => format!("{name} ({})", guarded_name(&status)),
                None => name,
            }
        });
        Self { names: names.collect::<Vec<_>>().join(", "), more: members.count() }
    }

    /// Takes the names of what has neither an id nor a status.
    pub(crate) fn list<'a>(mut names: impl Iterator<Item = &'a str>) -> Self {
        let shown: Vec<_> = names.by_ref().take(MAX_NAMES).map(guarded_name).collect();
        Self { names: shown.join(", "), more: names.count() }
    }
}
