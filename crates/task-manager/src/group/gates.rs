//! Which gating tasks the group's readiness waits for (invariant 12).

use std::borrow::Cow;
use std::collections::BTreeMap;

use task_core::{Blocker, Outcome, Readiness, Step, TaskId};

use super::Member;

/// The most tasks that are named.
const MAX_NAMED: usize = 20;

#[derive(Default)]
pub(crate) struct Gates {
    /// Those that are alive and not ready, with their names.
    unready: BTreeMap<TaskId, Cow<'static, str>>,
    /// Gating tasks that ended, other than those that completed and were allowed to: they never
    /// become ready.
    broken: Vec<Broken>,
    pub(crate) has_started: bool,
}

/// A gating task that never becomes ready.
struct Broken {
    id: TaskId,
    name: String,
    outcome: Outcome,
    /// The manager's step when it ended.
    step: Step,
}

impl Gates {
    pub(crate) fn admit(&mut self, member: &Member) {
        if member.gates_readiness {
            self.unready.insert(member.id, member.name.clone());
        }
    }

    pub(crate) fn changed(&mut self, member: &Member) {
        if !member.gates_readiness {
            return;
        }
        if member.is_ready() {
            self.unready.remove(&member.id);
        } else {
            self.unready.insert(member.id, member.name.clone());
        }
    }

    /// Records an end, with the manager's step before it. A task that failed while it was held
    /// comes twice. `may_end` is whether the group goes on without it if it completed.
    pub(crate) fn ended(&mut self, member: &Member, outcome: Outcome, step: Step, may_end: bool) {
        if !member.gates_readiness {
            return;
        }
        self.unready.remove(&member.id);
        let is_open = may_end && outcome == Outcome::Completed;
        let is_known = self.broken.iter().any(|broken| broken.id == member.id);
        if !is_open && !is_known && self.broken.len() < MAX_NAMED {
            let (id, name) = (member.id, member.name.to_string());
            self.broken.push(Broken { id, name, outcome, step });
        }
    }

    /// Returns the gating tasks that block readiness, whatever the manager's step.
    pub(crate) fn blockers(&self) -> Vec<Blocker> {
        let broken =
            self.broken.iter().map(|broken| Blocker::HasEnded(broken.name.clone(), broken.outcome));
        let unready = self.unready.values().map(|name| Blocker::NotReady(name.to_string()));
        broken.chain(unready).take(MAX_NAMED).collect()
    }

    /// Returns the tasks that are [not ready](Blocker::NotReady), in the order of the blockers.
    pub(crate) fn unready(&self) -> impl Iterator<Item = TaskId> {
        self.unready.keys().copied()
    }

    /// Returns the first gating task that ended and thereby made readiness impossible, if that was
    /// before a shutdown had begun, which is a separate reason.
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
