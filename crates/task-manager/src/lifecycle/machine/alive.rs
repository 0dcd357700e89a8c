//! How many tasks of each phase are alive.

use std::time::Duration;

use task_core::Phase;

/// The living tasks by phase, in ascending order. A list: there are few phases, and a map's code is
/// many times that of a list.
#[derive(Debug, Default)]
pub(super) struct Alive(Vec<Living>);

#[derive(Debug)]
struct Living {
    phase: Phase,
    count: usize,
    /// The longest stop timeout of the tasks since there was none; `None` is without limit.
    longest: Option<Duration>,
}

impl Alive {
    pub(super) fn add(&mut self, phase: Phase, stop_timeout: Option<Duration>) {
        match self.find(phase) {
            Ok(index) => {
                let Living { count, longest, .. } = &mut self.0[index];
                *longest = match (*count, *longest, stop_timeout) {
                    (0, _, own) => own,
                    (_, Some(longest), Some(own)) => Some(longest.max(own)),
                    (_, None, _) | (_, _, None) => None,
                };
                *count += 1;
            }
            Err(index) => {
                self.0.insert(index, Living { phase, count: 1, longest: stop_timeout });
            }
        }
    }

    /// Counts one task less. The phase stays listed with none: the next task needs no new place.
    pub(super) fn subtract(&mut self, phase: Phase) {
        if let Ok(index) = self.find(phase) {
            let count = &mut self.0[index].count;
            // A miscount would end one wait early; a panic here would unwind through the group.
            *count = count.saturating_sub(1);
        }
    }

    /// Counts the tasks of a phase no longer, but for `left` of them: they are abandoned.
    pub(super) fn forget(&mut self, phase: Phase, left: usize) {
        if let Ok(index) = self.find(phase) {
            self.0[index].count = left;
        }
    }

    /// Returns the phases that have living tasks, in ascending order.
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        self.with_longest().map(|(phase, _)| phase)
    }

    /// Returns them with the longest time that any of their tasks may take to end.
    pub(super) fn with_longest(&self) -> impl Iterator<Item = (Phase, Option<Duration>)> {
        let living = self.0.iter().filter(|living| living.count > 0);
        living.map(|living| (living.phase, living.longest))
    }

    pub(super) fn any(&self, matches: impl Fn(Phase) -> bool) -> bool {
        self.phases().any(matches)
    }

    fn find(&self, phase: Phase) -> Result<usize, usize> {
        self.0.binary_search_by_key(&phase, |living| living.phase)
    }
}
