//! Which gating tasks the group's readiness waits for (invariant 12).

use std::{collections::BTreeMap, sync::Arc};

use task_core::{Blocker, Outcome, Readiness, Step, TaskId};

use crate::entry::Entry;

/// How many tasks are named.
const MOST_NAMED: usize = 20;

#[derive(Default)]
pub(crate) struct Gates {
    unready: BTreeMap<TaskId, Arc<Entry>>,
    /// Gating tasks that ended otherwise than an ephemeral one that completed: they never become ready.
    broken: Vec<(String, Outcome)>,
    pub(crate) has_started: bool,
}

impl Gates {
    pub(crate) fn admit(&mut self, entry: &Arc<Entry>) {
        if entry.gates_readiness {
            self.unready.insert(entry.id, Arc::clone(entry));
        }
    }

    pub(crate) fn changed(&mut self, entry: &Arc<Entry>) {
        if !entry.gates_readiness || entry.outcome().is_some() {
            return;
        }
        if entry.is_ready() {
            self.unready.remove(&entry.id);
        } else {
            self.unready.insert(entry.id, Arc::clone(entry));
        }
    }

    pub(crate) fn ended(&mut self, entry: &Entry, outcome: Outcome) {
        if !entry.gates_readiness {
            return;
        }
        self.unready.remove(&entry.id);
        if !(entry.role.is_ephemeral() && outcome == Outcome::Completed)
            && self.broken.len() < MOST_NAMED
        {
            self.broken.push((entry.name.to_string(), outcome));
        }
    }

    /// Returns what the gating tasks have to say, whatever the manager's step.
    pub(crate) fn blockers(&self) -> Vec<Blocker> {
        let broken =
            self.broken.iter().map(|(name, outcome)| Blocker::HasEnded(name.clone(), *outcome));
        let unready = self.unready.values().map(|entry| Blocker::NotReady(entry.name.to_string()));
        broken.chain(unready).take(MOST_NAMED).collect()
    }

    /// Returns the first gating task that ended and thereby made readiness impossible.
    pub(crate) fn broken(&self) -> Option<&(String, Outcome)> {
        self.broken.first()
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
