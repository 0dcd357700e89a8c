//! What must be true when the machine returns an action.

use std::time::Duration;

use task_core::{Phase, Step};

use super::{JOIN, Model, Task};
use crate::lifecycle::machine::{Action, Trigger};
use crate::lifecycle::plan::{Limit, Tick};

impl Model {
    /// When the cleanups began, which may be now.
    fn begin_cleaning(&mut self) -> Tick {
        if self.cleaning_since.is_none() {
            let has_end = self.shutdown.as_ref().is_some_and(|begun| begun.end.is_some());
            self.cleans_without_end = !has_end;
        }
        *self.cleaning_since.get_or_insert(self.now)
    }

    /// When cleanups that began `since` must be over. An escalation at that very instant may have
    /// come before or after.
    fn cleanup_end(
        &self,
        shutdown: &super::Shutdown,
        since: Tick,
        is_before: impl Fn(Tick) -> bool,
    ) -> Option<Tick> {
        let short = shutdown.escalated.map(|at| at.max(since) + self.budgets.escalated_cleanup);
        // What tasks leave of their time is theirs, unless they have a limit.
        let is_limited = self.budgets.limits_cleanups
            || self.cleans_without_end
            || shutdown.escalated.is_some_and(is_before);
        let limit = is_limited.then_some(since + shutdown.cleanup);
        shutdown.end.into_iter().chain(short).chain(limit).min()
    }

    pub(super) fn judge(&mut self, action: Action) {
        let is_running = self.step() == Step::Running;
        match action {
            Action::Complete => {
                assert!(is_running && self.waited && self.is_complete(), "{self:?}");
                self.trigger(Trigger::Plain, None);
            }
            Action::StartTimeout => {
                assert!(is_running, "{self:?}");
                self.trigger(Trigger::Failure, None);
            }
            Action::Drain => {
                let shutdown = self.shutdown.as_mut().expect("a trigger before the drain");
                assert!(!std::mem::replace(&mut shutdown.drained, true), "drained twice");
                assert!(self.stopped.is_empty() && self.cleaning_since.is_none());
            }
            Action::Stop(phase) => {
                assert!(
                    self.shutdown.as_ref().is_some_and(|shutdown| shutdown.drained),
                    "{self:?}"
                );
                assert!(!self.drains_with_outer(), "before the outer stop: {self:?}");
                assert!(!self.stopped.is_empty() || self.is_drained(), "too early: {self:?}");
                let lowest = self.alive.iter().map(|task| task.phase).min();
                assert_eq!(lowest, Some(phase), "the lowest phase that has tasks");
                assert!(self.stopped.last().is_none_or(|last| *last < phase), "{self:?}");
                self.stopped.insert(phase);
                for index in 0..self.alive.len() {
                    if self.alive[index].phase == phase {
                        self.ask(index);
                    }
                }
                self.check_time_to_end(phase);
            }
            Action::Abort(phase) => {
                assert_eq!(self.stopped.last(), Some(&phase), "only what was stopped is aborted");
                assert!(self.has_alive(phase), "no task to abort: {self:?}");
                let deadline = self.machine.deadline(phase).expect("no abort without a deadline");
                assert!(deadline <= self.now, "aborted before its deadline: {self:?}");
                assert!(self.aborted.insert(phase, self.now).is_none(), "aborted twice: {self:?}");
                self.check_limit(phase);
                for index in 0..self.alive.len() {
                    self.abort(index, |task| task.phase == phase);
                }
            }
            Action::Abandon(phase) => {
                let aborted = self.aborted.get(&phase).expect("an abort before");
                assert!(self.has_alive(phase), "no task to abandon: {self:?}");
                assert!(!self.is_punctual || self.now <= *aborted + JOIN, "{self:?}");
                // A nested group needs the time of an escalation after its abort.
                self.alive.retain(|task| task.phase != phase || task.kept.is_some());
                let shutdown = self.shutdown.as_mut().expect("a trigger before the stop");
                shutdown.overran |= !shutdown.planned.contains(&phase);
            }
            Action::AbortTask(key) => {
                let index = self.alive.iter().position(|task| task.key == key);
                let index = index.expect("a living task");
                let task = self.alive[index];
                let due = task.due().expect("a limit");
                assert!(task.aborted.is_none() && due <= self.now, "{task:?}: {self:?}");
                assert!(!self.is_punctual || due == self.now, "{task:?}: {self:?}");
                self.abort(index, |_| true);
            }
            Action::AbandonTask(key) => {
                let index = self.alive.iter().position(|task| task.key == key);
                let task = self.alive.swap_remove(index.expect("a living task"));
                let until = task.kept.or(task.aborted.map(|aborted| aborted + JOIN));
                assert!(until.is_some() && (!self.is_punctual || Some(self.now) <= until));
                if self.shutdown.is_none() {
                    self.trigger(Trigger::Failure, None);
                }
            }
            Action::Clean(count) => {
                assert!(self.alive.is_empty() && self.running == 0, "{self:?}");
                let since = self.begin_cleaning();
                let shutdown = self.shutdown.as_ref().expect("a trigger before the cleanups");
                let end = self.cleanup_end(shutdown, since, |at| at < since);
                let left = end.map_or(Duration::ZERO, |end| end.saturating_sub(self.now));
                // All but up to a second for each later set, and half of it for all of these.
                let begins_set = |place: &usize| {
                    let (number, beside) = self.cleanups[*place];
                    let before = place.checked_sub(1).map(|before| self.cleanups[before].0 + 1);
                    !beside || before != Some(number)
                };
                let sets = (0..self.cleanups.len()).filter(begins_set).count();
                let sets = u32::try_from(sets).expect("few");
                let reserve = Duration::from_secs(1).min(left / (2 * sets));
                let part = left - reserve * (sets - 1);
                let deadline = self.machine.cleanups.due();
                let deadline = deadline.expect("a deadline, also where tasks have none");
                assert!(deadline <= self.now + part, "more than its part: {self:?}");
                if !shutdown.tightened && shutdown.escalated.is_none() {
                    let least = self.now + part - JOIN.min(part / 4) - Duration::from_nanos(10);
                    assert!(deadline >= least, "less than its part: {self:?}");
                }
                self.take_set(count);
                self.running = count;
                self.cleanup_aborted = None;
            }
            Action::SkipCleanups(count) => {
                assert!(self.alive.is_empty() && self.running == 0, "{self:?}");
                let since = self.begin_cleaning();
                let shutdown = self.shutdown.as_ref().expect("a trigger before the cleanups");
                let end = self.cleanup_end(shutdown, since, |at| at <= since);
                assert!(end <= Some(self.now), "there was time left for it: {self:?}");
                self.take_set(count);
            }
            Action::AbortCleanups => {
                assert!(self.running > 0, "{self:?}");
                assert!(self.cleanup_aborted.replace(self.now).is_none(), "aborted twice");
            }
            Action::AbandonCleanups => {
                assert!(std::mem::take(&mut self.running) > 0, "{self:?}");
                let aborted = self.cleanup_aborted.expect("an abort before");
                assert!(!self.is_punctual || self.now <= aborted + JOIN, "{self:?}");
            }
            Action::Remind => {
                let is_stopping = self.alive.iter().any(|task| self.stopped.contains(&task.phase));
                assert!(is_stopping || self.running > 0, "nothing to wait for: {self:?}");
            }
            Action::End => {
                assert!(self.alive.is_empty() && self.running == 0 && self.cleanups.is_empty());
                assert!(!std::mem::replace(&mut self.ended, true), "ended twice");
            }
        }
        self.check_budgets();
    }

    /// Aborts a task if it fits, as the manager does.
    fn abort(&mut self, index: usize, fits: impl Fn(&Task) -> bool) {
        let task = &mut self.alive[index];
        if !fits(task) {
            return;
        }
        task.aborted.get_or_insert(self.now);
        let shutdown = self.shutdown.as_ref();
        if task.is_nested && shutdown.is_some_and(|shutdown| shutdown.escalated.is_some()) {
            self.machine.nested_aborted(task.key, task.phase, self.now);
            // Anew with its phase, if it was aborted alone before.
            task.kept = Some(self.now + JOIN + self.budgets.escalated_cleanup);
        }
    }

    /// Takes off the cleanups that run next: the last one, and those before it that it runs beside,
    /// one by one.
    fn take_set(&mut self, count: usize) {
        let (mut number, mut beside) = self.cleanups.pop().expect("one that was registered");
        let mut taken = 1;
        while beside && self.cleanups.last().is_some_and(|(before, _)| before + 1 == number) {
            (number, beside) = self.cleanups.pop().expect("just seen");
            taken += 1;
        }
        assert_eq!(taken, count, "{self:?}");
    }

    /// A phase has time to end by itself: a planned one its part, however long those before it
    /// took, unless one that was not planned took more than was left, or something made the
    /// shutdown shorter. The least, as long as half of the cleanups' time is left, is the time to
    /// be dropped.
    fn check_time_to_end(&mut self, phase: Phase) {
        let Some(shutdown) = self.shutdown.as_mut() else { return };
        let plan = self.machine.plan().expect("a plan");
        let (Some(deadline), Some((had, limit))) = (plan.deadline(phase), self.machine.limit())
        else {
            return;
        };
        let latest = shutdown.end.map_or(Tick::MAX, |end| end.saturating_sub(shutdown.cleanup));
        let is_limited = self.budgets.of_phase(phase).is_some() || shutdown.escalated.is_some();
        let half = self.now + latest.saturating_sub(self.now) / 2;
        let least = (self.now + plan.join(phase)).min(half);
        assert!(deadline >= least || is_limited, "no time to end: {self:?}");
        let is_as_planned = self.is_punctual
            && !shutdown.tightened
            && shutdown.escalated.is_none()
            && shutdown.planned.contains(&phase)
            && !shutdown.overran;
        assert!(!is_as_planned || limit != Limit::Least, "less than its part: {self:?}");
        assert_eq!(self.now + had, deadline.max(self.now));
        shutdown.overran |= limit == Limit::Least;
    }

    /// A phase is aborted for the reason that is given.
    fn check_limit(&self, phase: Phase) {
        let (had, limit) = self.machine.limit().expect("a limit");
        let is_escalated = self.shutdown.as_ref().is_some_and(|begun| begun.escalated.is_some());
        match limit {
            Limit::Part => assert!(self.machine.plan().is_some_and(|plan| plan.end.is_some())),
            Limit::PhaseTimeout => assert_eq!(self.budgets.of_phase(phase), Some(had)),
            Limit::Least => assert!(had <= JOIN),
            Limit::Escalation => assert!(is_escalated && had <= JOIN),
        }
    }

    /// Everything is done in time.
    fn check_budgets(&self) {
        let Some(shutdown) = self.shutdown.as_ref().filter(|_| self.is_punctual) else { return };
        // A phase that was aborted before a limit came is waited for as long as without it.
        let aborted = self.aborted.values().max().filter(|_| shutdown.tightened);
        let joined = aborted.map_or(Duration::ZERO, |aborted| *aborted + JOIN);
        let is_over = shutdown.end.is_some_and(|end| self.now > end.max(joined));
        assert!(!is_over, "over the total: {self:?}");
        if let Some(since) = self.cleaning_since
            && (self.budgets.limits_cleanups || self.cleans_without_end)
        {
            assert!(self.now <= since + shutdown.cleanup, "over the cleanup budget: {self:?}");
        }
        if let Some(escalated) = shutdown.escalated {
            // Each phase has as long to end by itself as then to be dropped, and the cleanups have
            // their short budget.
            let phases = u32::try_from(shutdown.phases_since_escalation.len()).expect("few");
            let nested = u32::try_from(shutdown.nested_since_escalation.len()).expect("few");
            let cleanups = (1 + nested) * self.budgets.escalated_cleanup;
            let end = escalated + phases * 2 * JOIN + cleanups;
            assert!(self.now <= end, "escalated, and no sooner over: {self:?}");
        }
    }
}
