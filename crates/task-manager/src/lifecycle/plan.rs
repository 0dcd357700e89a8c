//! The deadlines of one shutdown, computed at its trigger. Pure arithmetic on time since the manager was made.

use std::time::Duration;

use task_core::Phase;

use crate::Timeout;

#[cfg(test)]
mod tests;

/// An instant, as time since the manager was made.
pub(crate) type Tick = Duration;

/// The longest time for which aborted tasks are waited for, before they are given up.
const LONGEST_JOIN: Duration = Duration::from_millis(250);
/// The longest time that a phase leaves to the next one.
const LONGEST_SLICE: Duration = Duration::from_secs(1);

/// How long the parts of a shutdown may take. Checked by the builder: drain and cleanup leave some of the total.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets {
    pub(crate) total: Timeout,
    pub(crate) drain: Duration,
    pub(crate) cleanup: Duration,
    /// What cleanups get once the shutdown was told to hurry.
    pub(crate) short_cleanup: Duration,
}

/// When each part of the shutdown ends. Invariant 3: fixed at the trigger; afterwards an instant only moves earlier.
/// `None` is "never".
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) triggered: Tick,
    pub(crate) drain_end: Tick,
    /// When the last phase must be over, the waiting for aborted tasks included.
    stop_end: Option<Tick>,
    pub(crate) end: Option<Tick>,
    pub(crate) cleanup: Duration,
    /// The time between the drain and the cleanups.
    stop: Option<Duration>,
    /// Time for aborted tasks to be dropped.
    pub(crate) join: Duration,
    /// When the tasks of each phase are aborted, in the order of the phases, of which there are few.
    phases: Vec<(Phase, Option<Tick>)>,
    is_hurried: bool,
    /// Drains until the group around this one stops it; only then are its own deadlines laid out.
    pub(crate) drains_with_outer: bool,
    /// When the last phase was stopped.
    stopped_at: Tick,
}

impl Plan {
    /// Lays out the shutdown from `now` on, within the budgets and, for a nested manager, within `limit`.
    pub(crate) fn new(
        now: Tick,
        budgets: &Budgets,
        limit: Option<Duration>,
        drains: bool,
        phases: impl Iterator<Item = Phase>,
    ) -> Self {
        let Budgets { total, mut drain, mut cleanup, .. } = *budgets;
        let own = total.limit();
        let total = own.into_iter().chain(limit).min();
        if let Some(total) = total.filter(|total| own.is_none_or(|own| *total < own)) {
            // Somebody else's limit, which the builder could not check: keep most of it for the tasks.
            drain = drain.min(total / 4);
            cleanup = cleanup.min(total / 4);
        }
        let stop = total.map(|total| total.saturating_sub(drain + cleanup));
        let end = total.map(|total| now.saturating_add(total));
        let mut plan = Self {
            triggered: now,
            drain_end: if drains { now.saturating_add(drain) } else { now },
            stop_end: end.map(|end| end.saturating_sub(cleanup)),
            end,
            cleanup,
            stop,
            join: LONGEST_JOIN,
            phases: Vec::new(),
            is_hurried: false,
            drains_with_outer: false,
            stopped_at: Tick::ZERO,
        };
        for phase in phases {
            plan.insert(phase, None);
        }
        plan.lay_out();
        plan
    }

    /// Drains until the group around this one stops it. That group may stop many others first, so until then nothing is
    /// due.
    pub(crate) fn with_outer(
        now: Tick,
        budgets: &Budgets,
        phases: impl Iterator<Item = Phase>,
    ) -> Self {
        let budgets = Budgets { total: Timeout::Never, ..*budgets };
        let plan = Self::new(now, &budgets, None, true, phases);
        Self { drain_end: Tick::MAX, drains_with_outer: true, ..plan }
    }

    /// Returns when the tasks of a phase are aborted.
    pub(crate) fn deadline(&self, phase: Phase) -> Option<Tick> {
        self.find(phase).ok().and_then(|place| self.phases[place].1).or(self.stop_end)
    }

    /// Makes room for a phase that had no task at the trigger. The others keep their deadlines or get earlier ones: those
    /// that are not `stopped` yet keep at least half of an equal part of the time that is left then.
    pub(crate) fn add_phase(&mut self, phase: Phase, now: Tick, stopped: Option<Phase>) {
        if self.find(phase).is_ok() {
            return;
        }
        self.insert(phase, None);
        let before = self.phases.clone();
        self.lay_out();
        let Some(stop_end) = self.stop_end else { return };
        let first = self.phases.partition_point(|(own, _)| stopped.is_some_and(|at| *own <= at));
        let over_by = first.checked_sub(1).and_then(|last| self.phases[last].1);
        let begin = over_by.unwrap_or(self.drain_end).max(now).saturating_add(self.join);
        let rest = (self.phases.len() - first).max(1);
        let part = stop_end.saturating_sub(begin) / u32::try_from(2 * rest).unwrap_or(u32::MAX);
        let mut least = begin;
        for ((_, deadline), (_, before)) in self.phases.iter_mut().zip(before).skip(first) {
            least += part;
            let kept = deadline.map(|deadline| deadline.max(least));
            *deadline = kept.into_iter().chain(before).min();
        }
        // The new one not after those that follow it, which may have had less already.
        let mut latest = stop_end;
        for (_, deadline) in self.phases[first..].iter_mut().rev() {
            latest = deadline.map_or(latest, |deadline| deadline.min(latest));
            *deadline = Some(latest);
        }
    }

    /// Moves everything within `limit` from `now` on; what is earlier already stays. Of a limit that the builder could
    /// not check, most is kept for the tasks.
    pub(crate) fn tighten(&mut self, now: Tick, limit: Duration, is_own: bool) {
        let end = now.saturating_add(limit);
        if self.end.is_some_and(|own| own <= end) {
            return;
        }
        self.end = Some(end);
        if !is_own {
            self.cleanup = self.cleanup.min(limit / 4);
        }
        let stop_end = end.saturating_sub(self.cleanup);
        self.stop_end = Some(self.stop_end.map_or(stop_end, |own| own.min(stop_end)));
        self.stop = Some(limit.saturating_sub(self.cleanup));
        self.lay_out();
    }

    /// Lays out the deadlines of a shutdown that had the drain of the group around it for its own.
    pub(crate) fn begin_own(&mut self, now: Tick, total: Option<Duration>) {
        if std::mem::take(&mut self.drains_with_outer)
            && let Some(total) = total
        {
            self.tighten(now, total, true);
        }
    }

    /// Ends the drain, and leaves phases that are not stopped yet, and the cleanups, only a short time.
    pub(crate) fn hurry(&mut self, now: Tick, short_cleanup: Duration) {
        self.end_drain(now);
        self.is_hurried = true;
        self.cleanup = self.cleanup.min(short_cleanup);
    }

    /// Takes note that the tasks of a phase are stopped `now`. In a hurry they get as long to end by themselves as they
    /// then get to be dropped.
    pub(crate) fn stop(&mut self, phase: Phase, now: Tick) {
        self.stopped_at = now;
        if self.is_hurried {
            self.limit(phase, self.short_grace_end());
        }
    }

    /// Returns until when the tasks of the phase that was stopped last may end by themselves in a hurry.
    pub(crate) fn short_grace_end(&self) -> Tick {
        self.stopped_at.saturating_add(self.join)
    }

    /// Has the tasks of a phase aborted at `latest`, if they are not before.
    pub(crate) fn limit(&mut self, phase: Phase, latest: Tick) {
        let deadline = self.deadline(phase).map_or(latest, |deadline| deadline.min(latest));
        self.insert(phase, Some(deadline));
    }

    pub(crate) fn end_drain(&mut self, now: Tick) {
        self.drain_end = self.drain_end.min(now);
    }

    fn insert(&mut self, phase: Phase, deadline: Option<Tick>) {
        match self.find(phase) {
            Ok(place) => self.phases[place].1 = deadline,
            Err(place) => self.phases.insert(place, (phase, deadline)),
        }
    }

    fn find(&self, phase: Phase) -> Result<usize, usize> {
        self.phases.binary_search_by_key(&phase, |(own, _)| *own)
    }

    /// The i-th of n phases must be over by `stop_end - (n - i) * slice`, and leaves the time to join before that. A
    /// phase that is added moves those before it earlier, but never beyond the first half of the time.
    fn lay_out(&mut self) {
        let (Some(stop), Some(stop_end)) = (self.stop, self.stop_end) else { return };
        let count = u32::try_from(self.phases.len()).unwrap_or(u32::MAX).max(1);
        let slice = LONGEST_SLICE.min(stop / (2 * count));
        self.join = self.join.min(slice / 2);
        let mut latest = stop_end.saturating_sub(self.join);
        let earliest = stop_end.saturating_sub(stop / 2 + LONGEST_JOIN.min(stop / 4));
        for (_, deadline) in self.phases.iter_mut().rev() {
            let kept = deadline.map_or(latest, |deadline| deadline.min(latest));
            *deadline = Some(kept);
            latest = earliest.max(kept.saturating_sub(slice));
        }
    }
}
