//! What happens to a group: ends, failures, readiness.

use std::mem;
use std::sync::Arc;

use task_core::scope::Stage;
use task_core::{EventKind, Outcome, Panic, Step};

use super::{Entry, Event, Member, Role, Shared, Turn, ready_text};
use crate::lifecycle::{Kind, Trigger};
use crate::report::{CauseKind, End, FailureKind, FailureOrigin};
use crate::threads::CallerRuntime;

impl Shared {
    /// Records the end of a task or a cleanup. The choke point of invariant 1: every end comes
    /// here, except abandonment ([`State::abandon`](super::State::abandon)).
    pub(crate) fn entry_ended(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        mut end: End,
        caller: CallerRuntime,
    ) {
        let mut turn = self.turn_from(caller);
        turn.after_failure(entry, &mut end);
        let outcome = end.outcome();
        if !entry.set_outcome(outcome) {
            return turn.ended_late(entry, end, outcome);
        }
        // A failure is logged where it is recorded.
        let is_wanted = matches!(end, End::Aborted) && entry.is_abort_wanted();
        let is_logged = outcome.is_clean() || is_wanted || matches!(end, End::Recorded(_));
        if is_logged && Event::logs_clean_tasks() {
            let ran = turn.now().saturating_sub(entry.began);
            turn.log(Event::Ended(entry.subject(), outcome, ran));
        }
        turn.settle(entry, outcome);
        match entry.role {
            Role::Task(kind) => turn.task_ended(entry, kind, end, outcome),
            Role::Setup => turn.task_ended(entry, Kind::Ephemeral, end, outcome),
            Role::Cleanup => {
                turn.record_end(entry, end);
                turn.state.machine.cleanup_ended();
            }
        }
        turn.wake(entry.stage.advance_quietly(Stage::Ended));
        if turn.state.machine.is_waiting() {
            // A deadline that has passed meanwhile is left to the timer and the deadline thread.
            turn.release();
        } else {
            turn.finish();
        }
    }

    /// Records the end of a future whose task is still held. A failure counts from now on and not
    /// only once the last hold is gone, and the holders learn that the future is over.
    pub(crate) fn future_ended_held(self: &Arc<Self>, entry: &Arc<Entry>, mut end: End) {
        let outcome = end.outcome();
        // Nothing to record yet: the end is clean, or its outcome waits for the last hold.
        let can_wait = outcome.is_clean()
            || matches!(end, End::Aborted) && entry.is_abort_asked()
            || entry.role == Role::Cleanup;
        if can_wait {
            let now = self.now();
            entry.update(|details| details.future_ended = Some(now));
            entry.release_with(end);
            return self.cancel_one(entry);
        }
        let mut turn = self.turn();
        let now = turn.now();
        if turn.state.machine.step() == Step::Ended {
            drop(turn);
            return entry.release_with(end);
        }
        turn.after_failure(entry, &mut end);
        let outcome = end.outcome();
        if !matches!(end, End::Recorded(_)) {
            turn.fail_now(entry, end);
        }
        entry.update(|details| details.future_ended = Some(now));
        let has_lines = turn.run();
        entry.release_with(End::Recorded(outcome));
        self.cancel_one(entry);
        if has_lines {
            self.write_log();
        }
    }

    /// Records a failure that a thread of a task observes while the future goes on, from any
    /// thread. What the future ends with does not undo it; see [`Turn::after_failure`].
    pub(crate) fn failed_beside(self: &Arc<Self>, entry: &Arc<Entry>, end: End) {
        let outcome = end.outcome();
        let mut turn = self.turn();
        if turn.state.machine.step() == Step::Ended {
            // Of an abandoned task, and too late for the report.
            let at = turn.now();
            if let Some(kind) = failure_of(end) {
                turn.log(Event::Failed(entry.failure(kind, at), None));
            }
            return turn.release();
        }
        if entry.mark_failed(outcome) {
            turn.fail_now(entry, end);
        } else {
            turn.record_end(entry, end);
        }
        turn.finish();
    }

    /// Records a failure that a task survives.
    pub(crate) fn failure_survived(self: &Arc<Self>, entry: &Entry, error: anyhow::Error) {
        self.record_failure(entry, FailureKind::Survived(Arc::new(error)));
    }

    /// Records a panic that a task survives.
    pub(crate) fn panic_survived(self: &Arc<Self>, entry: &Entry, panic: Panic) {
        self.record_failure(entry, FailureKind::SurvivedPanic(panic));
    }

    /// Records a panic beside another failure of the same task.
    pub(crate) fn panic_beside(self: &Arc<Self>, entry: &Entry, panic: Panic) {
        self.record_failure(entry, FailureKind::Panic(panic));
    }

    fn record_failure(self: &Arc<Self>, entry: &Entry, kind: FailureKind) {
        let mut turn = self.turn();
        let now = turn.now();
        if turn.state.machine.step() == Step::Ended {
            // Of an abandoned task, and too late for the report.
            turn.log(Event::Failed(entry.failure(kind, now), None));
        } else {
            turn.state.fail_as(entry, kind, now);
        }
        turn.release();
    }

    /// Records that the service could not be set up, and stops the group.
    pub(crate) fn setup_failed(self: &Arc<Self>, error: anyhow::Error) {
        let mut turn = self.turn();
        if turn.state.machine.step() == Step::Ended {
            turn.log(Event::LateSetup(error));
            return turn.release();
        }
        let kind = FailureKind::Error(Arc::new(error));
        let at = turn.now();
        turn.state.fail(FailureOrigin::Setup, &self.name, kind, at);
        turn.trigger(CauseKind::SetupFailed, Trigger::Failure, None);
        turn.finish();
    }

    /// Records that something waits for the group. From now on, completion is judged.
    pub(crate) fn wait_began(self: &Arc<Self>) {
        #[cfg(feature = "token")]
        self.check_parent();
        let mut turn = self.turn();
        if !turn.state.machine.waited() {
            turn.state.machine.wait_began();
            turn.update_started();
            turn.finish();
        }
    }

    /// Records that a task has become ready, or not ready.
    pub(crate) fn readiness_changed(self: &Arc<Self>, member: &Member) {
        let mut turn = self.turn();
        let tasks = &turn.state.tasks;
        let is_listed = tasks.get(member.key).is_some_and(|listed| listed.id == member.id);
        if is_listed {
            turn.state.gates.changed(member);
            let (name, is_ready) = (member.name.clone(), member.is_ready());
            if member.gates_readiness {
                let text = ready_text(&name, is_ready);
                let kind = EventKind::TaskReady { name, id: member.id, is_ready };
                turn.note(kind, text, false);
            } else if turn.state.journal.is_watched() {
                let now = turn.now();
                let kind = EventKind::TaskReady { name, id: member.id, is_ready };
                turn.state.watched(now, kind);
            }
            if Event::logs_clean_tasks() {
                turn.log(Event::Ready(member.subject(), member.is_ready()));
            }
        }
        turn.update_started();
        if member.is_ready()
            && let Some(made_ready) = member.made_ready()
        {
            turn.wake(made_ready.bump_quietly());
        }
        turn.release();
    }
}

impl Turn<'_> {
    /// Records a failure before the task has ended, and stops the group.
    fn fail_now(&mut self, entry: &Entry, end: End) {
        let outcome = end.outcome();
        self.record_end(entry, end);
        // One that was abandoned has been counted.
        if entry.outcome() != Some(Outcome::Abandoned) {
            let step = self.state.machine.step();
            self.state.gates.ended(entry, outcome, step, false);
            self.trigger(ended_by(entry, outcome), Trigger::Failure, None);
        }
    }

    /// Judges an end of a task that had failed before its future ended: the outcome is that of the
    /// failure, and what else went wrong is recorded beside it.
    fn after_failure(&mut self, entry: &Entry, end: &mut End) {
        let Some(outcome) = entry.failed() else { return };
        let is_known = match end {
            End::Recorded(_) | End::Aborted => return,
            End::Completed | End::Cancelled => true,
            // It comes from a thread of the task.
            End::Panicked(panic) => self.is_recorded(entry, panic),
            End::Failed(_) => false,
        };
        let end = mem::replace(end, End::Recorded(outcome));
        if is_known {
            self.discard(end);
        } else {
            self.record_end(entry, end);
        }
    }

    /// Returns whether this panic of the task is recorded already. Where it has passed from thread
    /// to thread, only its message is left.
    fn is_recorded(&self, entry: &Entry, panic: &Panic) -> bool {
        let is_same = |known: &Panic| {
            let are_located = known.location.is_some() && panic.location.is_some();
            known.message == panic.message && (!are_located || known.location == panic.location)
        };
        self.state.record.has(|failure| match &failure.kind {
            FailureKind::Panic(known) => failure.id == Some(entry.id) && is_same(known),
            _ => false,
        })
    }

    fn task_ended(&mut self, entry: &Entry, kind: Kind, end: End, outcome: Outcome) {
        self.update_started();
        let is_recorded = matches!(end, End::Recorded(_));
        let is_wanted = matches!(end, End::Aborted) && entry.is_abort_wanted();
        self.record_end(entry, end);
        // An abort that was asked for is no failure: the group goes on, or stops, as after a stop.
        let judged = if is_wanted { Outcome::Cancelled } else { outcome };
        let trigger = self.state.machine.task_ended(entry.key, entry.phase, kind, judged);
        let is_first = self.state.machine.plan().is_none();
        // That a stopped task ends is no further trigger. A failure is, once.
        let counts = |trigger: &Trigger| is_first || *trigger == Trigger::Failure && !is_recorded;
        if let Some(trigger) = trigger.filter(counts) {
            let is_unasked = is_first && outcome.is_clean() && entry.stop_asked().is_none();
            if is_unasked && self.group.settings.unasked_end_fails {
                let now = self.now();
                self.state.fail_as(entry, FailureKind::EndedUnasked, now);
            }
            self.trigger(ended_by(entry, outcome), trigger, None);
        }
    }

    /// Records an end that comes after the member was abandoned. That outcome stands; a failure
    /// since then is not lost.
    fn ended_late(mut self, entry: &Arc<Entry>, end: End, outcome: Outcome) {
        self.state.abandoned.remove(&entry.id);
        let is_over = self.state.machine.step() == Step::Ended;
        let kind = match end {
            End::Failed(error) if !is_over => {
                let error = self.record_nested_error(entry, error);
                error.map(|error| FailureKind::Error(Arc::new(error)))
            }
            end => failure_of(end),
        };
        if let Some(kind) = kind.clone().filter(|_| !is_over) {
            let now = self.now();
            self.state.fail_as(entry, kind, now);
        }
        self.log(Event::Late(entry.subject(), outcome, kind));
        self.release();
    }

    /// Records what was unclean about an end.
    fn record_end(&mut self, entry: &Entry, end: End) {
        let kind = match end {
            End::Completed | End::Cancelled | End::Recorded(_) => return,
            End::Failed(error) => match self.record_nested_error(entry, error) {
                Some(error) => FailureKind::Error(Arc::new(error)),
                None => return,
            },
            End::Panicked(panic) => FailureKind::Panic(panic),
            End::Aborted if !entry.was_polled() && entry.role == Role::Cleanup => {
                FailureKind::NotRun { reason: "its runtime is gone" }
            }
            End::Aborted if entry.is_abort_wanted() => return,
            End::Aborted => match entry.deadline() {
                Some(deadline) => FailureKind::Aborted { deadline },
                None => FailureKind::RuntimeGone,
            },
        };
        let now = self.now();
        self.state.fail_as(entry, kind, now);
    }
}

pub(super) fn ended_by(member: &Member, outcome: Outcome) -> CauseKind {
    let was_asked = member.stop_asked().is_some();
    CauseKind::TaskEnded { task: member.name.to_string(), id: member.id, outcome, was_asked }
}

/// Returns the failure that an end is in itself.
fn failure_of(end: End) -> Option<FailureKind> {
    match end {
        End::Failed(error) => Some(FailureKind::Error(Arc::new(error))),
        End::Panicked(panic) => Some(FailureKind::Panic(panic)),
        End::Completed | End::Cancelled | End::Aborted | End::Recorded(_) => None,
    }
}
