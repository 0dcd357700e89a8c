//! What must be true when the machine returns an action.

use std::time::Duration;

use task_core::{Phase, Step};

use super::{Cleanup, JOIN, Model};
use crate::lifecycle::machine::{Action, Trigger};

impl Model {
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
                let lowest = self.alive.iter().map(|(phase, _)| *phase).min();
                assert_eq!(lowest, Some(phase), "the lowest phase that has tasks");
                assert!(self.stopped.last().is_none_or(|last| *last < phase), "{self:?}");
                self.stopped.insert(phase);
                self.check_time_to_end(phase);
            }
            Action::Abort(phase) => {
                assert_eq!(self.stopped.last(), Some(&phase), "only what was stopped is aborted");
                assert!(self.has_alive(phase), "no task to abort: {self:?}");
                let deadline = self.machine.deadline(phase).expect("no abort without a deadline");
                assert!(deadline <= self.now, "aborted before its deadline: {self:?}");
                assert!(self.aborted.insert(phase, self.now).is_none(), "aborted twice: {self:?}");
            }
            Action::Abandon(phase) => {
                let aborted = self.aborted.get(&phase).expect("an abort before");
                assert!(self.has_alive(phase), "no task to abandon: {self:?}");
                assert!(!self.is_punctual || self.now <= *aborted + JOIN, "{self:?}");
                self.alive.retain(|(other, _)| *other != phase);
                let shutdown = self.shutdown.as_mut().expect("a trigger before the stop");
                shutdown.abandoned_late |= !shutdown.planned.contains(&phase);
            }
            Action::Clean => {
                assert!(self.alive.is_empty() && self.cleanup.is_none(), "{self:?}");
                let since = *self.cleaning_since.get_or_insert(self.now);
                let shutdown = self.shutdown.as_ref().expect("a trigger before the cleanups");
                let end = shutdown.end.into_iter().chain([since + shutdown.cleanup]).min();
                let left = end.map_or(Duration::ZERO, |end| end.saturating_sub(self.now));
                let share = left / u32::try_from(self.cleanups).expect("one that was registered");
                let deadline = self.machine.cleanups.due();
                let deadline = deadline.expect("a deadline, also where tasks have none");
                assert!(deadline <= self.now + share, "more than a fair share: {self:?}");
                self.cleanups -= 1;
                self.cleanup = Some(Cleanup { aborted: None });
            }
            Action::SkipCleanup => {
                assert!(self.alive.is_empty() && self.cleanup.is_none(), "{self:?}");
                let since = *self.cleaning_since.get_or_insert(self.now);
                let shutdown = self.shutdown.as_ref().expect("a trigger before the cleanups");
                let short = shutdown.escalated.map(|at| at + self.budgets.escalated_cleanup);
                let end = shutdown.end.into_iter().chain(short).chain([since + shutdown.cleanup]);
                assert!(end.min() <= Some(self.now), "there was time left for it: {self:?}");
                self.cleanups -= 1;
            }
            Action::AbortCleanup => {
                let cleanup = self.cleanup.as_mut().expect("one that runs");
                assert!(cleanup.aborted.replace(self.now).is_none(), "aborted twice: {self:?}");
            }
            Action::AbandonCleanup => {
                let cleanup = self.cleanup.take().expect("one that runs");
                let aborted = cleanup.aborted.expect("an abort before");
                assert!(!self.is_punctual || self.now <= aborted + JOIN, "{self:?}");
            }
            Action::Remind => {
                let is_stopping = self.alive.iter().any(|(phase, _)| self.stopped.contains(phase));
                assert!(is_stopping || self.cleanup.is_some(), "nothing to wait for: {self:?}");
            }
            Action::End => {
                assert!(self.alive.is_empty() && self.cleanup.is_none() && self.cleanups == 0);
                assert!(!std::mem::replace(&mut self.ended, true), "ended twice");
            }
        }
        self.check_budgets();
    }

    /// A planned phase has time to end by itself, however long those before it took, unless one
    /// that was not planned could not even be dropped, or something made the shutdown shorter.
    fn check_time_to_end(&self, phase: Phase) {
        let Some(shutdown) = self.shutdown.as_ref().filter(|_| self.is_punctual) else { return };
        let is_as_planned = !shutdown.tightened
            && shutdown.escalated.is_none()
            && shutdown.planned.contains(&phase)
            && !shutdown.abandoned_late;
        if is_as_planned && let Some(deadline) = self.machine.deadline(phase) {
            let is_any_left = shutdown.end.is_none_or(|end| self.now < end);
            assert!(self.now < deadline || !is_any_left, "no time to end: {self:?}");
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
        if let Some(since) = self.cleaning_since {
            assert!(self.now <= since + shutdown.cleanup, "over the cleanup budget: {self:?}");
        }
        if let Some(escalated) = shutdown.escalated {
            // Each phase has as long to end by itself as then to be dropped, and the cleanups have
            // their short budget.
            let phases = u32::try_from(shutdown.phases_since_escalation.len()).expect("few");
            let end = escalated + phases * 2 * JOIN + self.budgets.escalated_cleanup;
            assert!(self.now <= end, "escalated, and no sooner over: {self:?}");
        }
    }
}
