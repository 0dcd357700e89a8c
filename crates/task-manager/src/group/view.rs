//! The manager's side of the read-only group view.

use std::sync::Arc;

use task_core::scope::{EventsFrom, GroupView, Level};
use task_core::{
    CleanupInfo, CleanupState, Group, GroupEvent, GroupSnapshot, Readiness, ShutdownInfo, Step,
    StopDeadline,
};

use super::{MAX_ENTRIES, Role, Shared, State};
use crate::lifecycle::{Limit, Tick};
use crate::report::{Report, sort_by_key};
use crate::sync::lock;

/// Returns the view of a manager's group.
pub(crate) fn group_view(shared: &Arc<Shared>) -> Group {
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
        snapshot.uptime = now;
        snapshot.in_step = now.saturating_sub(machine.step_began());
        snapshot.cause = match self.report.get() {
            Some(report) => Some(report.cause().to_string()),
            None => state.record.cause.as_ref().map(ToString::to_string),
        };
        let end = machine.plan().and_then(|plan| plan.end);
        snapshot.remaining = end.map(|end| end.saturating_sub(now));
        snapshot.readiness = state.gates.readiness(machine.step(), machine.waited());
        let living = state.living_tasks().map(|entry| {
            let mut info = entry.info(now);
            if let Some((end, limit)) = machine.limit_of(entry.key, entry.phase) {
                info.remaining = Some(end.saturating_sub(now));
                info.deadline = Some(match limit {
                    None => StopDeadline::StopTimeout,
                    Some(Limit::Part) => StopDeadline::Phase,
                    Some(Limit::PhaseTimeout) => StopDeadline::PhaseTimeout,
                    Some(Limit::Least) => StopDeadline::NoTimeLeft,
                    Some(Limit::Escalation) => StopDeadline::Escalation,
                });
            }
            // Not of abandoned ones, whose groups the report names.
            info.groups = entry.nested().iter().map(group_view).collect();
            info
        });
        let abandoned = state.abandoned.values().filter(|entry| entry.role != Role::Cleanup);
        snapshot.tasks = living.chain(abandoned.map(|entry| entry.info(now))).collect();
        sort_by_key(&mut snapshot.tasks, |task| task.id.number().into());
        snapshot.totals = state.totals;
        snapshot.exits = state.tally.exits();
        snapshot.signals = state.tally.signals();
        snapshot.cleanups = self.cleanups(&state, now);
        snapshot.shutdown = self.shutdown(&state, now);
        let shown = state.living_tasks().chain(state.abandoned.values());
        let parents: Vec<_> = shown.filter(|entry| entry.has_children()).cloned().collect();
        drop(state);
        for parent in parents {
            let children = parent.count_children();
            let shown = snapshot.tasks.binary_search_by_key(&parent.id, |task| task.id);
            if let Some(task) = shown.ok().and_then(|index| snapshot.tasks.get_mut(index)) {
                task.children = children;
            }
        }
        snapshot
    }

    fn events(&self) -> Vec<GroupEvent> {
        self.last_events()
    }

    fn events_from(&self, from: Option<u64>) -> EventsFrom {
        self.watched_from(from)
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

    fn lacks_drain(&self) -> bool {
        // A nested group drains as long as the outer one does.
        let is_chosen = self.settings.drain.is_some() || lock(&self.outer).is_some();
        !is_chosen && self.lock().machine.has_ingress()
    }
}

impl Shared {
    /// Returns the state of a shutdown: from the record while it lasts, and then from the report.
    fn shutdown(&self, state: &State, now: Tick) -> Option<ShutdownInfo> {
        let plan = state.machine.plan()?;
        let report = self.report.get();
        let mut shutdown = ShutdownInfo::new(report.map(Report::began).or(state.record.began)?);
        shutdown.began_at = plan.triggered;
        shutdown.took =
            report.map_or(now, |report| report.steps().ended).saturating_sub(plan.triggered);
        shutdown.budget = plan.end.map(|end| end.saturating_sub(plan.triggered));
        (shutdown.ended, shutdown.omitted) = match report {
            Some(report) => (report.tasks().to_vec(), report.omitted_tasks()),
            None => (state.record.tasks.iter().cloned().collect(), state.record.omitted_tasks),
        };
        Some(shutdown)
    }

    fn cleanups(&self, state: &State, now: Tick) -> Vec<CleanupInfo> {
        let over = self.report.get().map_or(&state.record.cleanups[..], Report::cleanups);
        let over = over.iter().map(|report| {
            let mut info = CleanupInfo::new(report.name.clone());
            info.state = report.outcome.map_or(CleanupState::NotRun, CleanupState::Ended);
            info.began_at = report.outcome.map(|_| report.began_at);
            info.took = report.took;
            info
        });
        let deadline = state.machine.cleanup_deadline();
        let running = state.cleanups.iter().map(|entry| {
            let mut info = CleanupInfo::new(entry.name.clone());
            info.state = CleanupState::Running;
            info.began_at = Some(entry.began);
            info.took = now.saturating_sub(entry.began);
            info.remaining = deadline.map(|deadline| deadline.saturating_sub(now));
            info
        });
        let waiting = state.hooks.iter().rev().take(MAX_ENTRIES);
        let waiting = waiting.map(|hook| CleanupInfo::new(hook.name.clone()));
        over.chain(running).chain(waiting).collect()
    }
}
