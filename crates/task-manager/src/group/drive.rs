//! What each action of the state machine means for the group.

use std::sync::Arc;
use std::time::Duration;

use task_core::scope::Stage;
use task_core::{Phase, Step};

use super::{Entry, Event, Identity, Names, Role, Turn};
use crate::lifecycle::{Action, Tick, Trigger};
use crate::report::{CauseKind, FailureKind, FailureOrigin, StepTimes};
use crate::sync::lock;
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
                self.log(Event::Aborting(Names::of(entries.iter().map(|entry| &***entry))));
                self.effects.aborts.extend(entries);
            }
            Action::Abandon(phase) => {
                let entries: Vec<_> = self.state.in_phase(phase).cloned().collect();
                self.abandon(&entries, now);
            }
            Action::Clean => self.start_cleanup(now),
            Action::SkipCleanup => self.skip_cleanup(now),
            Action::AbortCleanup => self.effects.aborts.extend(self.state.cleanup.clone()),
            Action::AbandonCleanup => {
                let entry = self.state.cleanup.clone();
                self.abandon(entry.as_slice(), now);
            }
            Action::Remind => {
                let is_asked = |entry: &&Arc<Entry>| {
                    entry.stop_asked().is_some() || entry.role == Role::Cleanup
                };
                let names = Names::of(self.state.living().filter(is_asked).map(|entry| &***entry));
                let end = self.state.machine.plan().and_then(|plan| plan.end);
                let left = end.map(|end| end.saturating_sub(now));
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
        for entry in self.state.in_phase(phase) {
            entry.mark_stop_asked(now);
            self.effects.wakers.append(entry.stage.advance_quietly(Stage::Cancelled));
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
            self.log(Event::Step(Step::CleaningUp));
        }
    }

    fn skip_cleanup(&mut self, now: Tick) {
        self.begin_cleaning_up(now);
        let Some(hook) = self.state.hooks.pop() else { return };
        let kind = FailureKind::NotRun { reason: "the budget for cleanups was used up" };
        self.state.record.cleanup(&hook.name, None, now, Duration::ZERO);
        self.state.fail(FailureOrigin::Cleanup, &hook.name, kind, now);
        self.discard(hook);
    }

    fn start_cleanup(&mut self, now: Tick) {
        self.begin_cleaning_up(now);
        // Invariant 8: reverse order, and each is taken off the list before it runs.
        let Some(hook) = self.state.hooks.pop() else { return };
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
        self.state.cleanup = Some(Arc::clone(&entry));
        self.effects.cleanups.push((entry, hook));
    }

    fn end(&mut self, now: Tick) {
        let Some(plan) = self.state.machine.plan() else { return };
        let triggered = plan.triggered;
        let budget = plan.end.map(|end| end.saturating_sub(triggered));
        let cleaning_up = self.state.cleaning_up.unwrap_or(now);
        let stopping = self.state.stopping.unwrap_or(cleaning_up);
        let steps = StepTimes { triggered, stopping, cleaning_up, ended: now, budget };
        let record = std::mem::take(&mut self.state.record);
        let (totals, repeated) = (self.state.totals, self.state.tally.repeated());
        let report = record.into_report(&self.group.name, totals, steps, repeated);
        let Some(report) = report else { return };
        #[cfg(feature = "token")]
        {
            let watch = self.state.parent_watch.take();
            self.state.garbage.extend(watch);
        }
        self.log(Event::Report(report.clone()));
        let _ = self.group.report.set(report);
        self.wake(self.group.ended.raise_quietly(1));
        self.effects.outer = lock(&self.group.outer).take();
    }
}
