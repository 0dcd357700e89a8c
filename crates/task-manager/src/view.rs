//! The manager's side of the read-only group view.

use std::sync::Arc;

use task_core::{Group, GroupSnapshot, GroupView, Level, Readiness, Step};

use crate::{entry::Role, shared::Shared};

/// Returns the view of a manager's group.
pub(crate) fn group(shared: &Arc<Shared>) -> Group {
    Group::new(Arc::clone(shared) as Arc<dyn GroupView>)
}

impl GroupView for Shared {
    fn snapshot(&self) -> GroupSnapshot {
        let now = self.now();
        let state = self.lock();
        let machine = &state.machine;
        let mut snapshot = GroupSnapshot::default();
        snapshot.name = self.name.clone();
        snapshot.step = machine.step();
        snapshot.in_step = now.saturating_sub(machine.step_began());
        snapshot.cause = match self.report.get() {
            Some(report) => Some(report.cause().to_string()),
            None => state.record.cause.as_ref().map(ToString::to_string),
        };
        let end = machine.plan().and_then(|plan| plan.end);
        snapshot.remaining = end.map(|end| end.saturating_sub(now));
        snapshot.readiness = state.gates.readiness(machine.step(), machine.waited());
        let living = state
            .tasks
            .iter()
            .map(|(_, entry)| entry)
            .chain(state.abandoned.iter().filter(|entry| entry.role != Role::Cleanup));
        snapshot.tasks = living.map(|entry| entry.info(now)).collect();
        snapshot.tasks.sort_by_key(|task| task.id);
        snapshot.totals = state.totals;
        snapshot
    }

    fn version(&self) -> &Level {
        &self.version
    }

    fn step(&self) -> Step {
        self.lock().machine.step()
    }

    fn readiness(&self) -> Readiness {
        Self::readiness(self)
    }
}
