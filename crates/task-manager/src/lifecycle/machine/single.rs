//! Tasks that are waited for one by one: those that have a stop timeout, and nested groups.

use std::time::Duration;

use task_core::Phase;

use super::Machine;
use super::wait::Wait;
use crate::lifecycle::plan::{LONGEST_JOIN, Limit, Tick};

impl Machine {
    /// Records that a task with a stop timeout was asked to stop. The first request counts.
    pub(crate) fn task_asked(&mut self, key: usize, phase: Phase, now: Tick, timeout: Duration) {
        let join = self.plan.as_ref().map_or(LONGEST_JOIN, |plan| plan.join(phase));
        self.limits.add(key, phase, Wait::new(Some(now.saturating_add(timeout)), join));
    }

    /// Records that a task alone was asked to end within `limit`. Returns whether it has no earlier
    /// limit of its own.
    pub(crate) fn task_limited(
        &mut self,
        key: usize,
        phase: Phase,
        now: Tick,
        limit: Duration,
    ) -> bool {
        let join = self.plan.as_ref().map_or(LONGEST_JOIN, |plan| plan.join(phase));
        self.limits.shorten(key, phase, now.saturating_add(limit), join)
    }

    /// Returns when a task is aborted, as far as that is known.
    pub(crate) fn deadline_of(&self, key: usize, phase: Phase) -> Option<Tick> {
        self.deadline(phase).into_iter().chain(self.limits.due_of(key)).min()
    }

    /// As [`deadline_of`](Self::deadline_of), with which limit of its phase it follows from; `None`
    /// for that of the task alone.
    pub(crate) fn limit_of(&self, key: usize, phase: Phase) -> Option<(Tick, Option<Limit>)> {
        let of_phase = self.plan.as_ref().map(|plan| plan.limit(phase));
        let of_phase = of_phase.and_then(|(at, limit)| Some((at?, Some(limit))));
        let own = self.limits.due_of(key).map(|due| (due, None));
        of_phase.into_iter().chain(own).min_by_key(|(at, _)| *at)
    }

    /// Returns whether a task is waited for when its phase is abandoned.
    pub(crate) fn outlives_phase(&self, key: usize) -> bool {
        self.limits.outlives_phase(key)
    }

    /// Records that a task is aborted with its phase which is a nested group. In a shutdown that is
    /// escalated, it is waited for until that group has aborted its own tasks and has had the short
    /// budget for its cleanups: that abort is how it learns of the escalation.
    pub(crate) fn nested_aborted(&mut self, key: usize, phase: Phase, now: Tick) {
        if let Some(until) = self.nested_until(phase, now) {
            self.limits.keep(key, phase, Wait::aborted(until));
        }
    }

    /// Returns how long a nested group may take, abort included, that learns `now` that it is
    /// stopped, and whether it is to abort its tasks at once.
    pub(crate) fn time_of_nested(
        &self,
        key: usize,
        phase: Phase,
        now: Tick,
    ) -> (Option<Duration>, bool) {
        let is_escalated = self.plan.as_ref().is_some_and(|plan| plan.is_escalated);
        let deadline = self.deadline_of(key, phase);
        let until = if self.limits.outlives_phase(key) {
            self.limits.due_of(key)
        } else {
            deadline.and_then(|deadline| self.nested_until(phase, deadline)).or(deadline)
        };
        (until.map(|until| until.saturating_sub(now)), is_escalated)
    }

    /// Returns until when a nested group is waited for that is aborted at an instant, in a shutdown
    /// that is escalated. The group's own cleanups keep their time.
    fn nested_until(&self, phase: Phase, aborted: Tick) -> Option<Tick> {
        let plan = self.plan.as_ref().filter(|plan| plan.is_escalated)?;
        let joined = aborted.saturating_add(plan.join(phase));
        let joined = plan.end.filter(|end| aborted <= *end).map_or(joined, |end| end.min(joined));
        let until = joined.saturating_add(self.budgets.escalated_cleanup);
        Some(plan.stop_end().map_or(until, |end| until.min(end.max(joined))))
    }
}
