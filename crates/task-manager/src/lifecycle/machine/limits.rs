//! Single tasks with a limit of their own: a stop timeout, or as a nested group the time that its
//! own escalation takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use task_core::Phase;

use super::wait::{Overdue, Wait};
use crate::lifecycle::plan::Tick;

/// The tasks that are waited for one by one, by their keys. A task without such a limit costs
/// nothing here.
#[derive(Debug, Default)]
pub(super) struct Limits {
    of: BTreeMap<usize, Limited>,
    /// When something is due for which of them.
    due: BTreeSet<(Tick, usize)>,
}

#[derive(Debug)]
struct Limited {
    phase: Phase,
    wait: Wait,
    /// Whether it is waited for when its phase is abandoned.
    outlives_phase: bool,
}

impl Limits {
    /// Adds a task, unless it has a limit already: the first request to stop counts.
    pub(super) fn add(&mut self, key: usize, phase: Phase, wait: Wait) {
        if !self.of.contains_key(&key) {
            self.insert(key, Limited { phase, wait, outlives_phase: false });
        }
    }

    /// Gives a task a limit, unless it has an earlier one. Returns whether that is its limit now.
    pub(super) fn shorten(
        &mut self,
        key: usize,
        phase: Phase,
        deadline: Tick,
        join: Duration,
    ) -> bool {
        let Some(Limited { wait, .. }) = self.of.get_mut(&key) else {
            self.add(key, phase, Wait::new(Some(deadline), join));
            return true;
        };
        if wait.is_aborted() || wait.deadline.is_some_and(|earlier| earlier < deadline) {
            return false;
        }
        if let Some(before) = wait.due() {
            self.due.remove(&(before, key));
        }
        // After the removal: the two may be the same.
        self.due.insert((deadline, key));
        wait.tighten(Some(deadline), join);
        true
    }

    /// Keeps a task that is aborted with its phase from being abandoned with it.
    pub(super) fn keep(&mut self, key: usize, phase: Phase, wait: Wait) {
        self.remove(key);
        self.insert(key, Limited { phase, wait, outlives_phase: true });
    }

    fn insert(&mut self, key: usize, limited: Limited) {
        self.due.extend(limited.wait.due().map(|due| (due, key)));
        self.of.insert(key, limited);
    }

    /// Forgets a task that has ended.
    pub(super) fn remove(&mut self, key: usize) -> Option<Phase> {
        // Nearly always empty, and each end of a task asks.
        let limited = if self.of.is_empty() { None } else { self.of.remove(&key) }?;
        if let Some(due) = limited.wait.due() {
            self.due.remove(&(due, key));
        }
        Some(limited.phase)
    }

    /// Forgets the tasks of a phase that are not aborted yet, and are with the phase.
    pub(super) fn phase_aborted(&mut self, phase: Phase) {
        self.forget(|limited| limited.phase == phase && !limited.wait.is_aborted());
    }

    /// Forgets the tasks of a phase that are abandoned with it.
    pub(super) fn phase_abandoned(&mut self, phase: Phase) {
        self.forget(|limited| limited.phase == phase && !limited.outlives_phase);
    }

    fn forget(&mut self, fits: impl Fn(&Limited) -> bool) {
        let keys = self.of.iter().filter(|(_, limited)| fits(limited)).map(|(key, _)| *key);
        for key in keys.collect::<Vec<_>>() {
            self.remove(key);
        }
    }

    /// Returns how many tasks of a phase are waited for beyond it.
    pub(super) fn left_of(&self, phase: Phase) -> usize {
        let left = |limited: &&Limited| limited.phase == phase && limited.outlives_phase;
        self.of.values().filter(left).count()
    }

    pub(super) fn outlives_phase(&self, key: usize) -> bool {
        self.of.get(&key).is_some_and(|limited| limited.outlives_phase)
    }

    /// Returns the next task whose limit has passed, and what has.
    pub(super) fn overdue(&mut self, now: Tick, end: Option<Tick>) -> Option<(usize, Overdue)> {
        let (due, key) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, key));
        let wait = &mut self.of.get_mut(&key)?.wait;
        let overdue = wait.overdue(now, end)?;
        self.due.extend(wait.due().map(|due| (due, key)));
        Some((key, overdue))
    }

    /// Returns when [`overdue`](Self::overdue) next returns something.
    pub(super) fn due(&self) -> Option<Tick> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns when a task is aborted, or once it was, abandoned.
    pub(super) fn due_of(&self, key: usize) -> Option<Tick> {
        self.of.get(&key)?.wait.due()
    }
}
