//! What each action of the state machine means for the group.

use std::sync::Arc;
use std::time::Duration;

use task_core::scope::Stage;
use task_core::{EventKind, Outcome, Phase, Step};

use super::events::ended_by;
use super::{Closing, Entry, Event, Hook, Identity, Names, Role, Turn};
use crate::lifecycle::{Action, Limit, Tick, Trigger};
use crate::report::{CauseKind, Deadline, DeadlineKind, FailureKind, FailureOrigin, StepTimes};
use crate::sync::{Ordering, lock};
use crate::threads::CallerRuntime;

impl Turn<'_> {
    /// Carries out the part of an action that happens under the lock, and notes down the rest.
    pub(crate) fn apply(&mut self, action: Action, now: Tick) {
        match action {
            Action::Complete => self.trigger(CauseKind::Completed, Trigger::Plain, None),
            Action::StartTimeout => self.start_timeout(now),
            Action::Drain => self.drain(now),
            Action::Stop(phase) => self.stop_phase(phase, now),
            Action::Abort(phase) => {
                let entries: Vec<_> = self.state.in_phase(phase).cloned().collect();
                let deadline = self.deadline_of(phase);
                self.state.record.limit_phase(deadline.had);
                self.abort(entries, now, |_| deadline.clone());
            }
            Action::Abandon(phase) => {
                let machine = &self.state.machine;
                let entries = self.state.in_phase(phase);
                let entries = entries.filter(|entry| !machine.outlives_phase(entry.key));
                self.abandon(&entries.cloned().collect::<Vec<_>>(), now);
            }
            Action::AbortTask(key) => {
                let entries = self.state.tasks.get(key).cloned().into_iter().collect();
                let had = |entry: &Entry| entry.stop_timeout().unwrap_or_default();
                self.abort(entries, now, |entry| match entry.requested_limit() {
                    Some(limit) => Deadline::new(DeadlineKind::Requested, limit),
                    None => Deadline::new(DeadlineKind::StopTimeout, had(entry)),
                });
            }
            Action::AbandonTask(key) => self.abandon_alone(key, now),
            Action::Clean(count) => self.start_cleanups(count, now),
            Action::SkipCleanups(count) => self.skip_cleanups(count, now),
            Action::AbortCleanups => {
                let deadline = self.state.machine.cleanup_deadline().unwrap_or(now);
                let entries = self.state.cleanups.clone();
                self.abort(entries, now, |entry| {
                    let had = deadline.saturating_sub(entry.began);
                    Deadline::new(DeadlineKind::Cleanup, had)
                });
            }
            Action::AbandonCleanups => self.abandon(&self.state.cleanups.clone(), now),
            Action::Remind => {
                let is_asked = |entry: &&Arc<Entry>| {
                    entry.stop_asked().is_some() || entry.role == Role::Cleanup
                };
                let names = Names::of(self.state.living().filter(is_asked).map(|entry| &***entry));
                let until = self.state.machine.waits_until();
                let left = until.map(|until| until.saturating_sub(now));
                self.log(Event::Waiting(names, left));
            }
            Action::End => self.end(now),
        }
    }

    fn start_timeout(&mut self, now: Tick) {
        let kind = FailureKind::NotReady { blockers: self.state.start_blockers() };
        self.state.fail(FailureOrigin::Start, &self.group.name, kind, now);
        self.trigger(CauseKind::StartTimeout, Trigger::Failure, None);
    }

    fn drain(&mut self, now: Tick) {
        self.log(Event::Step(Step::Draining));
        let plan = self.state.machine.plan();
        // `Tick::MAX` while it is the outer group's drain.
        let drain = plan.filter(|plan| plan.drain_end < Tick::MAX);
        self.state.record.drain_budget =
            drain.map(|plan| plan.drain_end.saturating_sub(plan.triggered));
        // Tasks that are stopped in the same turn learn of both at once, and are visited once.
        let stopped = self.state.machine.stopped_next(now);
        if stopped.is_some_and(|phase| !self.state.machine.is_alive_beside(phase)) {
            return;
        }
        for entry in self.state.living_tasks().filter(|entry| Some(entry.phase) != stopped) {
            self.effects.wakers.append(entry.stage.advance_quietly(Stage::Draining));
        }
    }

    fn stop_phase(&mut self, phase: Phase, now: Tick) {
        if self.state.stopping.is_none() {
            self.state.stopping = Some(now);
            self.log(Event::Step(Step::Stopping));
        }
        let mut limited = Vec::new();
        let mut tasks = 0;
        for entry in self.state.in_phase(phase) {
            tasks += 1;
            entry.mark_stop_asked(now);
            limited.extend(entry.stop_timeout().map(|timeout| (entry.key, timeout)));
            self.effects.wakers.append(entry.stage.advance_quietly(Stage::Cancelled));
        }
        for (key, timeout) in limited {
            self.state.machine.task_asked(key, phase, now, timeout);
        }
        let budget = self.state.machine.limit().map(|(had, _)| had);
        self.state.record.phase(phase, now, budget, tasks);
    }

    /// Returns the deadline of the phase that is being stopped.
    fn deadline_of(&self, phase: Phase) -> Deadline {
        let (had, limit) = self.state.machine.limit().unwrap_or((Duration::ZERO, Limit::Part));
        let kind = match limit {
            Limit::Part => DeadlineKind::Phase(phase),
            Limit::PhaseTimeout => DeadlineKind::PhaseTimeout(phase),
            Limit::Escalation => DeadlineKind::Escalation,
            Limit::Least => {
                let (taken_by, took) = self.state.record.slowest_before(phase).unzip();
                DeadlineKind::NoTimeLeft { taken_by, took: took.unwrap_or_default() }
            }
        };
        Deadline::new(kind, had)
    }

    fn abort(
        &mut self,
        entries: Vec<Arc<Entry>>,
        now: Tick,
        deadline: impl Fn(&Entry) -> Deadline,
    ) {
        for entry in &entries {
            entry.mark_aborted(deadline(entry), now);
            // Not only once the abort is carried out, which a busy machine may do late.
            if entry.has_children() {
                self.group.has_aborted_children.store(true, Ordering::SeqCst);
            }
            if entry.is_nested() {
                self.state.machine.nested_aborted(entry.key, entry.phase, now);
            }
        }
        self.log(Event::Aborting(Names::of(entries.iter().map(|entry| &***entry))));
        self.effects.aborts.extend(entries);
    }

    /// Abandons one task, in whatever step: like any unclean end, that stops the group.
    fn abandon_alone(&mut self, key: usize, now: Tick) {
        let Some(entry) = self.state.tasks.get(key).cloned() else { return };
        self.abandon(std::slice::from_ref(&entry), now);
        if self.state.machine.plan().is_none() {
            self.trigger(ended_by(&entry, Outcome::Abandoned), Trigger::Failure, None);
        }
    }

    fn abandon(&mut self, entries: &[Arc<Entry>], now: Tick) {
        for entry in entries {
            self.state.abandon(entry, now);
            self.wake(entry.stage.advance_quietly(Stage::Ended));
        }
    }

    fn begin_cleaning_up(&mut self, now: Tick) {
        if self.state.cleaning_up.is_none() {
            self.state.cleaning_up = Some(now);
            let end = self.state.machine.plan().map(|plan| plan.cleanup_end(now));
            self.state.record.cleanup_budget = end.map(|end| end.saturating_sub(now));
            self.log(Event::Step(Step::CleaningUp));
        }
    }

    fn skip_cleanups(&mut self, count: usize, now: Tick) {
        self.begin_cleaning_up(now);
        for hook in self.next_hooks(count) {
            let kind = FailureKind::NotRun { reason: "no time was left for it" };
            self.state.record.cleanup(&hook.name, None, now, Duration::ZERO);
            let left_out = EventKind::CleanupEnded { name: hook.name.clone(), outcome: None };
            self.state.watched(now, left_out);
            self.state.fail(FailureOrigin::Cleanup, &hook.name, kind, now);
            self.discard(hook);
        }
    }

    fn start_cleanups(&mut self, count: usize, now: Tick) {
        self.begin_cleaning_up(now);
        for hook in self.next_hooks(count) {
            let identity = Identity {
                id: self.state.next_id(),
                key: usize::MAX,
                name: hook.name.clone(),
                phase: Phase::SUPPORT,
                role: Role::Cleanup,
                gates_readiness: false,
                // Cleanups are spawned on the manager's runtime.
                runtime: CallerRuntime::Own,
            };
            let entry = Entry::new(Arc::clone(self.group), identity, now);
            self.state.cleanups.push(Arc::clone(&entry));
            self.effects.cleanups.push((entry, hook));
        }
    }

    /// Invariant 8: reverse order, and each is taken off the list before it runs.
    fn next_hooks(&mut self, count: usize) -> Vec<Hook> {
        let hooks = &mut self.state.hooks;
        let left = hooks.len().saturating_sub(count);
        let mut next = hooks.split_off(left);
        next.reverse();
        next
    }

    fn end(&mut self, now: Tick) {
        let Some(plan) = self.state.machine.plan() else { return };
        let triggered = plan.triggered;
        let budget = plan.end.map(|end| end.saturating_sub(triggered));
        let cleaning_up = self.state.cleaning_up.unwrap_or(now);
        let stopping = self.state.stopping.unwrap_or(cleaning_up);
        let mut record = std::mem::take(&mut self.state.record);
        record.end_phase(cleaning_up);
        let (drain_budget, cleanup_budget) = (record.drain_budget, record.cleanup_budget);
        let ended = now;
        let steps = StepTimes {
            triggered,
            stopping,
            cleaning_up,
            ended,
            budget,
            drain_budget,
            cleanup_budget,
        };
        let (totals, repeated) = (self.state.totals, self.state.tally.repeated());
        let report = record.into_report(&self.group.name, totals, steps, repeated);
        let Some(report) = report else { return };
        #[cfg(feature = "token")]
        {
            let watch = self.state.parent_watch.take();
            self.state.garbage.extend(watch);
        }
        let warns = self.group.settings.unasked_end_warns;
        if warns && report.is_clean() && report.cause().kind.is_unasked_end() {
            self.log(Event::UnaskedEnd(report.clone()));
        }
        self.log(Event::Report(report.clone()));
        let _ = self.group.report.set(report);
        match Closing::take(&mut self.state) {
            Some(closing) => self.effects.closing = Some(Box::new(closing)),
            None => self.wake(self.group.closed.raise_quietly(1)),
        }
        self.wake(self.group.ended.raise_quietly(1));
        self.effects.outer = lock(&self.group.outer).take();
    }
}
