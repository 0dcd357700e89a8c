//! What a group looks like from outside, when it cannot speak for itself: what went wrong in it, and who is alive.

use std::sync::Arc;

use crate::{
    group::shared::Shared,
    lifecycle::plan::Tick,
    report::failure::{Failure, FailureKind},
    report::label::Repeated,
};

#[cfg(test)]
mod tests;

/// How many who are still alive in nested groups are named one by one; those inside of others are not even counted.
const MOST_NAMED: usize = 128;

/// What went wrong in a group and in those inside it, those who are alive in them included.
pub(crate) struct Troubles {
    pub(crate) failures: Vec<Failure>,
    pub(crate) omitted: u64,
    /// How many failures the group itself had by then.
    pub(crate) known: u64,
    /// All that were looked at, to be dropped outside every lock: each may be the last reference, and what it drops is
    /// the user's.
    pub(crate) groups: Vec<Arc<Shared>>,
}

impl Troubles {
    /// Locks one group at a time, and never one that the caller has locked: groups form no circle.
    pub(crate) fn of(group: Arc<Shared>, name: &str, now: Tick) -> Self {
        let mut troubles = Self { failures: Vec::new(), omitted: 0, known: 0, groups: vec![group] };
        let mut paths = vec![String::from(name)];
        let mut next = 0;
        while let (Some(group), Some(path)) = (troubles.groups.get(next), paths.get(next)) {
            let (group, path) = (Arc::clone(group), path.clone());
            let state = group.lock();
            let mut repeated = state.tally.repeated();
            repeated.add(state.living().take(MOST_NAMED).map(|entry| &*entry.name));
            let (failures, omitted) = match group.report.get() {
                Some(report) => (report.failures().to_vec(), report.omitted_failures()),
                None => (state.record.failures(&repeated), state.record.omitted_failures),
            };
            if next == 0 {
                troubles.known = failures.len() as u64 + omitted;
            }
            troubles.omitted += omitted;
            troubles.failures.extend(failures.into_iter().map(|failure| {
                let name = format!("{path}/{}", repeated.label(&failure.name, failure.id));
                Failure { name, id: None, at: now, ..failure }
            }));
            for entry in state.living() {
                if troubles.failures.len() >= MOST_NAMED {
                    troubles.omitted += 1;
                    continue;
                }
                let name = format!("{path}/{}", repeated.label(&entry.name, Some(entry.id)));
                for inner in state.groups_of(entry) {
                    troubles.groups.push(inner);
                    paths.push(name.clone());
                }
                let kind = FailureKind::Abandoned { status: entry.status() };
                let origin = entry.role.origin();
                troubles.failures.push(Failure { origin, name, id: None, kind, at: now });
            }
            drop(state);
            next += 1;
        }
        troubles
    }
}

/// Returns the names of those who are alive in a group, and in those inside it by path: 20 at most.
pub(crate) fn living_names(group: &Arc<Shared>) -> Vec<String> {
    let mut names = Vec::new();
    let mut groups = vec![(Arc::clone(group), String::new())];
    let mut next = 0;
    while let Some((group, path)) = groups.get(next).cloned()
        && names.len() < 20
    {
        let state = group.lock();
        let living: Vec<_> = state.living().chain(state.abandoned.values()).take(20).collect();
        let mut repeated = Repeated::default();
        repeated.add(living.iter().map(|entry| &*entry.name));
        for entry in living {
            let name = format!("{path}{}", repeated.label(&entry.name, Some(entry.id)));
            groups.extend(state.groups_of(entry).map(|inner| (inner, format!("{name}/"))));
            names.push(name);
        }
        drop(state);
        next += 1;
    }
    names.truncate(20);
    // Each may be the last reference. The process is about to end, and must not wait for what is dropped.
    std::mem::forget(groups);
    names
}
