//! How many tasks of each phase are alive.

use std::collections::BTreeMap;

use task_core::Phase;

/// The number of living tasks by phase.
#[derive(Debug, Default)]
pub(super) struct Alive(BTreeMap<Phase, usize>);

impl Alive {
    pub(super) fn add(&mut self, phase: Phase) {
        *self.0.entry(phase).or_default() += 1;
    }

    pub(super) fn subtract(&mut self, phase: Phase) {
        if let Some(count) = self.0.get_mut(&phase) {
            *count = count.saturating_sub(1);
        }
    }

    /// Counts the tasks of a phase no more: they were given up.
    pub(super) fn forget(&mut self, phase: Phase) {
        self.0.remove(&phase);
    }

    /// Returns the phases that have living tasks, in ascending order.
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        self.0.iter().filter(|(_, count)| **count > 0).map(|(phase, _)| *phase)
    }

    pub(super) fn any(&self, matches: impl Fn(Phase) -> bool) -> bool {
        self.phases().any(matches)
    }
}
