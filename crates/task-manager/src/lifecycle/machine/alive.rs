//! How many tasks of each phase are alive.

use task_core::Phase;

/// The number of living tasks by phase, in ascending order. A list: there are few phases, and a
/// map's code is many times that of a list.
#[derive(Debug, Default)]
pub(super) struct Alive(Vec<(Phase, usize)>);

impl Alive {
    pub(super) fn add(&mut self, phase: Phase) {
        match self.find(phase) {
            Ok(index) => self.0[index].1 += 1,
            Err(index) => self.0.insert(index, (phase, 1)),
        }
    }

    /// Counts one task less. The phase stays listed with none: the next task needs no new place.
    pub(super) fn subtract(&mut self, phase: Phase) {
        if let Ok(index) = self.find(phase) {
            let (_, count) = &mut self.0[index];
            // A miscount would end one wait early; a panic here would unwind through the group.
            *count = count.saturating_sub(1);
        }
    }

    /// Counts the tasks of a phase no longer: they are abandoned.
    pub(super) fn forget(&mut self, phase: Phase) {
        if let Ok(index) = self.find(phase) {
            self.0.remove(index);
        }
    }

    /// Returns the phases that have living tasks, in ascending order.
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        self.0.iter().filter(|(_, count)| *count > 0).map(|(phase, _)| *phase)
    }

    pub(super) fn any(&self, matches: impl Fn(Phase) -> bool) -> bool {
        self.phases().any(matches)
    }

    fn find(&self, phase: Phase) -> Result<usize, usize> {
        self.0.binary_search_by_key(&phase, |(own, _)| *own)
    }
}
