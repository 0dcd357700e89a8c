//! Which gating tasks the group's readiness waits for (invariant 12).

use std::{collections::BTreeMap, sync::Arc};

use task_core::{Blocker, Outcome, Readiness, Step, TaskId};

use crate::group::entry::Entry;

/// How many tasks are named.
const MOST_NAMED: usize = 20;

#[derive(Default)]
pub(crate) struct Gates {
    unready: BTreeMap<TaskId, Arc<Entry>>,
    /// Gating tasks that ended otherwise than as one that may, and completed: they never become ready.
    broken: Vec<Broken>,
    pub(crate) has_started: bool,
}

/// A gating task that never becomes ready.
struct Broken {
    id: TaskId,
    name: String,
    outcome: Outcome,
    /// Where the manager stood when it ended.
    step: Step,
}

impl Gates {
    pub(crate) fn admit(&mut self, entry: &Arc<Entry>) {
        if entry.gates_readiness {
            self.unready.insert(entry.id, Arc::clone(entry));
        }
    }

    pub(crate) fn changed(&mut self, entry: &Arc<Entry>) {
        if !entry.gates_readiness {
            return;
        }
        if entry.is_ready() {
            self.unready.remove(&entry.id);
        } else {
            self.unready.insert(entry.id, Arc::clone(entry));
        }
    }

    /// Takes note of an end, and of where the manager stood before it. One that failed while it was held comes twice.
    /// `may_end` is whether the group goes on without it if it completed.
    pub(crate) fn ended(&mut self, entry: &Entry, outcome: Outcome, step: Step, may_end: bool) {
        if !entry.gates_readiness {
            return;
        }
        self.unready.remove(&entry.id);
        let is_open = may_end && outcome == Outcome::Completed;
        let is_known = self.broken.iter().any(|broken| broken.id == entry.id);
        if !is_open && !is_known && self.broken.len() < MOST_NAMED {
            let (id, name) = (entry.id, entry.name.to_string());
            self.broken.push(Broken { id, name, outcome, step });
        }
    }

    /// Returns what the gating tasks have to say, whatever the manager's step.
    pub(crate) fn blockers(&self) -> Vec<Blocker> {
        let broken =
            self.broken.iter().map(|broken| Blocker::HasEnded(broken.name.clone(), broken.outcome));
        let unready = self.unready.values().map(|entry| Blocker::NotReady(entry.name.to_string()));
        broken.chain(unready).take(MOST_NAMED).collect()
    }

    /// Returns the first gating task that ended and thereby made readiness impossible: before a shutdown had begun,
    /// which is a reason of its own.
    pub(crate) fn broken(&self) -> Option<(&str, Outcome)> {
        let first = self.broken.first().filter(|broken| broken.step == Step::Running)?;
        Some((&first.name, first.outcome))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.unready.is_empty() && self.broken.is_empty()
    }

    pub(crate) fn readiness(&self, step: Step, waited: bool) -> Readiness {
        let mut readiness = Readiness::default();
        readiness.has_started = self.has_started;
        if step != Step::Running {
            readiness.blockers.push(Blocker::ShuttingDown(step));
        } else if !waited {
            readiness.blockers.push(Blocker::SettingUp);
        }
        readiness.blockers.extend(self.blockers());
        readiness
    }
}
