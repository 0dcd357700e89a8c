//! The deadlines of one shutdown: arithmetic on the time since the manager was made.
//!
//! ```text
//! triggered        drain_end                                last_deadline            end
//!     |---- drain ----|---- phase 1 ----|- 2 -|- 3 -|- … -|- n -|- join -|- cleanup -|
//! ```
//!
//! The first phase may use all the time up to its deadline. Each of the later ones has a slice of
//! at most one second reserved, so that a phase that does not end leaves time to those behind it.
//! What one phase leaves over goes to the next.
//!
//! Invariant 3: deadlines are fixed at the trigger and then only move earlier. Four things move
//! them: [`Plan::tighten`], [`Plan::end_drain`], [`Plan::escalate`] and, once the shutdown was
//! escalated, [`Plan::stop`]; each takes the minimum of the old deadline and the new one. The
//! admission of a task moves none: a phase that is not planned has no time of its own (see
//! [`Plan::deadline`]). A shutdown that has no end at its trigger gets its deadlines when it first
//! has a limit: the outer group's, or its own total at the outer stop.

use std::time::Duration;

use task_core::{Phase, Timeout};

#[cfg(test)]
mod tests;

/// An instant, as time since the manager was made.
pub(crate) type Tick = Duration;

/// The longest time to wait for aborted tasks before they are abandoned.
const LONGEST_JOIN: Duration = Duration::from_millis(250);
/// The longest time that is reserved for a phase behind the first.
const LONGEST_SLICE: Duration = Duration::from_secs(1);

/// The time allotted to the parts of a shutdown. The builder checks that drain and cleanup leave
/// some of the total.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets {
    pub(crate) total: Timeout,
    pub(crate) drain: Duration,
    pub(crate) cleanup: Duration,
    /// What all cleanups together get once the shutdown is escalated to an abort.
    pub(crate) escalated_cleanup: Duration,
}

/// When each part of a shutdown ends; `None` is "never", and so is a `drain_end` of `Tick::MAX`.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) triggered: Tick,
    pub(crate) drain_end: Tick,
    /// When the report is due.
    pub(crate) end: Option<Tick>,
    /// The time for all cleanups together.
    pub(crate) cleanup: Duration,
    /// The time for aborted tasks to be dropped.
    pub(crate) join: Duration,
    /// In ascending order of the phases.
    planned: Vec<Planned>,
    /// The deadline of the last phase, and of any phase behind it.
    last_deadline: Option<Tick>,
    /// The phase that was stopped last, and when.
    stopped: Option<(Phase, Tick)>,
    /// Whether the group drains until the outer group stops it, and has no deadlines before.
    pub(crate) drains_with_outer: bool,
    is_escalated: bool,
}

/// A phase with a deadline of its own: it had tasks at the layout, or was stopped after an
/// escalation.
#[derive(Debug)]
struct Planned {
    phase: Phase,
    deadline: Tick,
    /// When the time begins that is reserved for it.
    reserved_from: Tick,
}

impl Plan {
    /// Lays out a shutdown that begins `now`, within the budgets and, for a nested group, within
    /// the `limit` of the outer one. `phases` are those that have tasks.
    pub(crate) fn new(
        now: Tick,
        budgets: &Budgets,
        limit: Option<Duration>,
        drains: bool,
        phases: impl Iterator<Item = Phase>,
    ) -> Self {
        // A drain that is skipped leaves its time to the tasks.
        let drain = if drains { budgets.drain } else { Duration::ZERO };
        let mut plan = Self::unlimited(now, now.saturating_add(drain), budgets);
        let total = budgets.total.limit();
        match limit.filter(|limit| total.is_none_or(|total| *limit < total)) {
            Some(limit) => plan.tighten(now, limit, phases),
            None => plan.lay_out(now, total, phases),
        }
        plan
    }

    /// Plans to drain until the outer group stops this one. That group may stop many others first,
    /// so the total of this one is counted from that stop on, and nothing is due before.
    pub(crate) fn with_outer(now: Tick, budgets: &Budgets) -> Self {
        Self { drains_with_outer: true, ..Self::unlimited(now, Tick::MAX, budgets) }
    }

    fn unlimited(now: Tick, drain_end: Tick, budgets: &Budgets) -> Self {
        Self {
            triggered: now,
            drain_end,
            end: None,
            cleanup: budgets.cleanup,
            join: LONGEST_JOIN,
            planned: Vec::new(),
            last_deadline: None,
            stopped: None,
            drains_with_outer: false,
            is_escalated: false,
        }
    }

    /// Returns when the tasks of a phase are aborted.
    ///
    /// A phase that is not planned, since it first appeared during the shutdown, has no time
    /// reserved for it: it may take what the phases before it leave over, until the time begins
    /// that is reserved for the next planned one. So a task that is admitted late and does not end
    /// by itself takes no time from those that had their deadlines before.
    pub(crate) fn deadline(&self, phase: Phase) -> Option<Tick> {
        match self.planned.get(self.planned.partition_point(|planned| planned.phase < phase)) {
            Some(planned) if planned.phase == phase => Some(planned.deadline),
            Some(next) => Some(next.reserved_from),
            None => self.last_deadline,
        }
    }

    /// Returns the phase that was stopped last.
    pub(crate) fn stopped(&self) -> Option<Phase> {
        self.stopped.map(|(phase, _)| phase)
    }

    /// Ends the drain. If it was the outer group's, this group's own `total` begins now.
    pub(crate) fn end_drain(
        &mut self,
        now: Tick,
        total: Option<Duration>,
        phases: impl Iterator<Item = Phase>,
    ) {
        self.drain_end = self.drain_end.min(now);
        if std::mem::take(&mut self.drains_with_outer) {
            self.lay_out(now, total, phases);
        }
    }

    /// Moves everything within the outer group's `limit` from `now` on.
    pub(crate) fn tighten(
        &mut self,
        now: Tick,
        limit: Duration,
        phases: impl Iterator<Item = Phase>,
    ) {
        if self.end.is_some_and(|end| end <= now.saturating_add(limit)) {
            return;
        }
        // The builder could not check this limit against the budgets: without these bounds, drain
        // and cleanup could leave the tasks no time at all.
        self.drain_end = self.drain_end.min(now.saturating_add(limit / 4));
        self.cleanup = self.cleanup.min(limit / 4);
        self.lay_out(now, Some(limit), phases);
    }

    /// Records that the tasks of a phase are stopped `now`.
    pub(crate) fn stop(&mut self, phase: Phase, now: Tick) {
        self.stopped = Some((phase, now));
        self.limit_grace();
    }

    /// Shortens the grace of the phase being stopped and of those to come, and the cleanups.
    pub(crate) fn escalate(&mut self, escalated_cleanup: Duration) {
        self.is_escalated = true;
        self.cleanup = self.cleanup.min(escalated_cleanup);
        self.limit_grace();
    }

    /// Once escalated, tasks get as long to end by themselves as they then get to be dropped. Those
    /// that were stopped just before the escalation get the same.
    fn limit_grace(&mut self) {
        if let Some((phase, since)) = self.stopped.filter(|_| self.is_escalated) {
            self.limit(phase, since.saturating_add(self.join));
        }
    }

    /// Moves the deadline of a phase to `latest` if it is later, and makes the phase a planned one.
    fn limit(&mut self, phase: Phase, latest: Tick) {
        let deadline = earlier(self.deadline(phase), latest);
        match self.planned.binary_search_by_key(&phase, |planned| planned.phase) {
            Ok(place) => self.planned[place].deadline = deadline,
            Err(place) => {
                self.planned.insert(place, Planned { phase, deadline, reserved_from: deadline });
            }
        }
    }

    /// Sets the end to `total` from `now` on, and the deadlines of the planned phases and of
    /// `phases` accordingly: of n phases the i-th is aborted at `stop_end - join - (n - i) *
    /// slice`.
    fn lay_out(&mut self, now: Tick, total: Option<Duration>, phases: impl Iterator<Item = Phase>) {
        let Some(total) = total else { return };
        for phase in phases {
            // With the deadline that it had until now, which the loop below only moves earlier.
            self.limit(phase, Tick::MAX);
        }
        // Saturating, as everywhere here: a hundred years are a valid total (FAILURES 42).
        let end = now.saturating_add(total);
        self.end = Some(end);
        let stop_begin = now.max(self.drain_end);
        let stop_end = end.saturating_sub(self.cleanup);
        let count = u32::try_from(self.planned.len()).unwrap_or(u32::MAX).max(1);
        // At most half of the time is reserved, however many phases there are. Half of a slice goes
        // to the join, so that a phase that is abandoned leaves the next one the other half.
        let slice = LONGEST_SLICE.min(stop_end.saturating_sub(stop_begin) / (2 * count));
        self.join = self.join.min(slice / 2);
        let last_deadline = earlier(self.last_deadline, stop_end.saturating_sub(self.join));
        self.last_deadline = Some(last_deadline);
        // A last deadline that was earlier before leaves less than that: an equal part to each.
        let slice = slice.min(last_deadline.saturating_sub(stop_begin) / count);
        let mut latest = last_deadline;
        for planned in self.planned.iter_mut().rev() {
            planned.deadline = planned.deadline.min(latest);
            latest = latest.saturating_sub(slice);
            planned.reserved_from = planned.reserved_from.min(latest);
        }
    }
}

fn earlier(instant: Option<Tick>, other: Tick) -> Tick {
    instant.map_or(other, |instant| instant.min(other))
}
