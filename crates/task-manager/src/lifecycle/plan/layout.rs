//! The part of each phase in the time that is there for stopping tasks.
//!
//! | phases that have tasks | their part |
//! |---|---|
//! | support | 1 s each, all of them together at most a twentieth of `stop` |
//! | [`Phase::SETUP`] | at most a tenth of `stop` |
//! | [`Phase::WORK`] | two thirds of the rest; all of it if no other phase has a part of that |
//! | the others | what is left of the rest, in equal parts |
//!
//! No part is longer than the limit of the phase, or of those of its tasks that may take longest,
//! and the time for them to be dropped. The first phase has all that the others do not need. So
//! work that stands alone, or beside support, has nine tenths; and more than half if every phase
//! before it hangs.

use std::time::Duration;

use task_core::Phase;

use super::{LONGEST_RESERVE, Tick};

/// A phase, and the longest time that its tasks may take to end, if that is limited.
type Demand = (Phase, Option<Duration>);

/// The deadlines of all phases there can be. Without an end, there are none.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// In ascending order of the phases.
    planned: Vec<Planned>,
    /// The deadline of any phase behind the planned ones.
    last: Option<Tick>,
}

/// A phase with a part of its own: it had tasks at a layout.
#[derive(Clone, Copy, Debug)]
struct Planned {
    phase: Phase,
    deadline: Tick,
    /// When the time begins that is reserved for it.
    reserved_from: Tick,
    join: Duration,
}

impl Layout {
    /// Gives each phase its part, the last one's up to `stop_end`. Of a part, up to a half and at
    /// most `join` is for aborted tasks to be dropped.
    pub(super) fn new(begin: Tick, stop_end: Tick, join: Duration, phases: &[Demand]) -> Self {
        let parts = parts(stop_end.saturating_sub(begin), join, phases);
        let mut over_by = stop_end;
        let mut planned = Vec::with_capacity(phases.len());
        for (place, ((phase, _), part)) in phases.iter().zip(parts).enumerate().rev() {
            let from = if place == 0 { begin } else { over_by.saturating_sub(part) };
            let part = over_by.saturating_sub(from);
            let join = join.min(part / 2);
            let reserved = if place == 0 { part / 3 * 2 } else { part };
            planned.push(Planned {
                phase: *phase,
                deadline: over_by.saturating_sub(join),
                reserved_from: over_by.saturating_sub(reserved),
                join,
            });
            over_by = from;
        }
        planned.reverse();
        let last = planned.last().map(|planned| planned.deadline);
        Self { planned, last: Some(last.unwrap_or(stop_end.saturating_sub(join))) }
    }

    /// Returns when a phase is over, less the time for its tasks to be dropped. One that is not
    /// planned has until the time begins that is reserved for the next one.
    pub(super) fn deadline(&self, phase: Phase) -> Option<Tick> {
        match self.planned(phase) {
            Some(planned) => Some(planned.deadline),
            None => self.next_reserved(phase),
        }
    }

    /// Returns how long aborted tasks of a planned phase get to be dropped.
    pub(super) fn join(&self, phase: Phase) -> Option<Duration> {
        self.planned(phase).map(|planned| planned.join)
    }

    /// Returns the layout that gives each phase, planned or not, the earlier of its two deadlines.
    pub(super) fn earlier_of(self, other: &Self) -> Self {
        let both = [&self, other];
        let planned = both.iter().flat_map(|layout| &layout.planned);
        let mut phases = Vec::new();
        for Planned { phase, .. } in planned {
            if let Err(place) = phases.binary_search(phase) {
                phases.insert(place, *phase);
            }
        }
        let planned = phases.into_iter().map(|phase| {
            let deadlines = both.iter().filter_map(|layout| layout.deadline(phase));
            let reserved = both.iter().filter_map(|layout| layout.next_reserved(phase));
            let joins = both.iter().filter_map(|layout| layout.join(phase));
            Planned {
                phase,
                // Each is there, since one of the two has planned the phase.
                deadline: deadlines.min().unwrap_or_default(),
                reserved_from: reserved.min().unwrap_or_default(),
                join: joins.min().unwrap_or_default(),
            }
        });
        let planned = planned.collect();
        Self { planned, last: both.iter().filter_map(|layout| layout.last).min() }
    }

    fn planned(&self, phase: Phase) -> Option<&Planned> {
        self.planned.iter().find(|planned| planned.phase == phase)
    }

    /// Returns when the time begins that is reserved for a phase, or for the next planned one.
    fn next_reserved(&self, phase: Phase) -> Option<Tick> {
        let next = self.planned.iter().find(|planned| planned.phase >= phase);
        next.map(|planned| planned.reserved_from).or(self.last)
    }
}

/// Returns how long the part of each phase is, but for the first, which has what the others leave.
fn parts(stop: Duration, join: Duration, phases: &[Demand]) -> Vec<Duration> {
    let is_other =
        |phase: Phase| !phase.is_support() && ![Phase::SETUP, Phase::WORK].contains(&phase);
    let count = |fits: &dyn Fn(Phase) -> bool| {
        let count = phases.iter().filter(|(phase, _)| fits(*phase)).count();
        // No divisor is zero, and a phase is a byte.
        u32::try_from(count).unwrap_or(u32::MAX).max(1)
    };
    let within = |part: Duration, longest: Option<Duration>| {
        longest.map_or(part, |longest| part.min(longest.saturating_add(join)))
    };
    let support = LONGEST_RESERVE.min(stop / (20 * count(&Phase::is_support)));
    let reserved = |(phase, longest): &Demand| match *phase {
        phase if phase.is_support() => within(support, *longest),
        Phase::SETUP => within(stop / 10, *longest),
        _other => Duration::ZERO,
    };
    let rest = stop.saturating_sub(phases.iter().map(reserved).sum());
    let has_others = phases.iter().any(|(phase, _)| is_other(*phase));
    let has_work = phases.iter().any(|(phase, _)| *phase == Phase::WORK);
    let work = if has_others { rest / 3 * 2 } else { rest };
    let others = if has_work { rest / 3 } else { rest } / count(&is_other);
    let part = |demand: &Demand| match demand {
        (phase, _) if phase.is_support() => reserved(demand),
        (Phase::SETUP, _) => reserved(demand),
        (Phase::WORK, longest) => within(work, *longest),
        (_other, longest) => within(others, *longest),
    };
    phases.iter().map(part).collect()
}
