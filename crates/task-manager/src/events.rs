//! What happens to a group: ends, triggers, failures, readiness. Each event changes the state under the lock, and then
//! drives the state machine. The time of an event is read under the lock, so that the order of the times is the order
//! of the events, in which the report has the failures: the first is the root.

use std::{cell::LazyCell, sync::Arc, time::Duration};

use task_core::{Escalation, Stage, Step};

use crate::{
    cause::CauseKind,
    clock::Whereabouts,
    end::End,
    entry::{Entry, Role},
    failure::{Failure, FailureKind, Origin},
    link::{self, Order},
    machine::Trigger,
    news::News,
    panics::{Panic, discard, display},
    shared::Shared,
    state::State,
    sync::MutexGuard,
};

impl Shared {
    /// Takes in the end of a task or a cleanup: what invariant 1 funnels everything into.
    pub(crate) fn entry_ended(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        end: End,
        whereabouts: Whereabouts,
    ) {
        let outcome = end.outcome();
        let detail = end.detail();
        let is_told = !outcome.is_clean() || News::tells_clean_tasks();
        let mut state = self.lock();
        // Read once, and only if asked for: it is a good part of what a clean end costs.
        let now = LazyCell::new(|| self.now_from(whereabouts));
        if !entry.set_outcome(outcome) {
            // It was given up before, and that outcome stands; but what went wrong since is not lost.
            state.abandoned.retain(|abandoned| abandoned.id != entry.id);
            let links = state.unlink(entry.id);
            let late = match end {
                End::Aborted => None,
                end if state.machine.step() == Step::Ended => Some(end),
                end => {
                    state.record.end(entry, end, *now);
                    None
                }
            };
            let evicted = std::mem::take(&mut state.record.evicted);
            drop(state);
            drop(links);
            discard(late);
            evicted.into_iter().for_each(discard);
            self.changed();
            News::Late { entry: Arc::clone(entry), outcome, detail }.log(self);
            return;
        }
        let removed;
        if matches!(end, End::Aborted | End::Panicked(_)) {
            state.record_inner(entry, *now);
        }
        let links = state.unlink(entry.id);
        let mut news = Vec::new();
        if is_told {
            news.push(News::Ended { entry: Arc::clone(entry), outcome, detail, now: *now });
        }
        let is_news = !matches!(end, End::Recorded(_));
        match entry.role {
            Role::Task(kind) => {
                removed = state.tasks.try_remove(entry.key);
                state.totals.count(outcome);
                state.tally.ended(entry, outcome);
                let (step, may_end) = (state.machine.step(), state.machine.lets_end(kind));
                state.gates.ended(entry, outcome, step, may_end);
                state.update_started();
                if !outcome.is_clean() {
                    state.record.end(entry, end, *now);
                }
                if let Some(trigger) = state.machine.task_ended(entry.phase, kind, outcome) {
                    let is_first = state.machine.trigger(*now, trigger, None);
                    // That a stopped task ends is no further trigger.
                    if is_first || (trigger == Trigger::Failure && is_news) {
                        let kind = CauseKind::task_ended(entry, outcome);
                        state.record.trigger(kind.clone(), *now);
                        news.extend(is_first.then_some(News::Triggered(kind)));
                    }
                }
                if state.machine.plan().is_some() {
                    state.record.task(entry, outcome, *now);
                }
            }
            Role::Cleanup => {
                removed = state.cleanup.take_if(|cleanup| cleanup.id == entry.id);
                let ran = entry.was_polled().then_some(outcome);
                let took = now.saturating_sub(entry.began);
                state.record.cleanup(&entry.name, ran, entry.began, took);
                state.record.end(entry, end, *now);
                state.machine.cleanup_ended();
            }
        }
        let evicted = std::mem::take(&mut state.record.evicted);
        let spent = std::mem::take(&mut state.spent);
        // Before anything that may block on the way.
        let parcel = self.alarm.delivery.add(entry.stage.advance_quietly(Stage::Ended));
        if state.machine.is_waiting() {
            // A deadline that has passed meanwhile is the timers' and the deadline thread's to find.
            drop(state);
        } else {
            news = self.drive_quietly(state, *now, news);
        }
        let parcel = self.alarm.delivery.join(parcel, self.version.bump_quietly());
        self.deliver(parcel);
        self.tell(news);
        drop((removed, links, spent));
        evicted.into_iter().for_each(discard);
    }

    /// Takes in the end of a future whose task is still held. What went wrong counts from now on and not only once the
    /// last hold is gone, and whoever holds the task hears that it is over.
    pub(crate) fn future_ended_held(self: &Arc<Self>, entry: &Arc<Entry>, end: End) -> End {
        let outcome = end.outcome();
        // Whether an abort that was asked for succeeds, the last hold decides.
        let is_open = outcome.is_clean() || entry.is_abort_asked() || entry.role == Role::Cleanup;
        if is_open {
            entry.mark_over(self.now());
            self.cancel_one(entry);
            return end;
        }
        let detail = end.detail();
        let mut state = self.lock();
        let now = self.now();
        let kind = CauseKind::task_ended(entry, outcome);
        let mut news = vec![News::Ended { entry: Arc::clone(entry), outcome, detail, now }];
        state.record.end(entry, end, now);
        let step = state.machine.step();
        state.gates.ended(entry, outcome, step, false);
        state.record.trigger(kind.clone(), now);
        if state.machine.trigger(now, Trigger::Failure, None) {
            news.push(News::Triggered(kind));
        }
        let evicted = std::mem::take(&mut state.record.evicted);
        let news = self.drive_quietly(state, now, news);
        entry.mark_over(now);
        self.cancel_one(entry);
        self.tell(news);
        evicted.into_iter().for_each(discard);
        End::Recorded(outcome)
    }

    /// Begins the shutdown, or records what would have.
    pub(crate) fn trigger(
        self: &Arc<Self>,
        kind: CauseKind,
        trigger: Trigger,
        limit: Option<Duration>,
    ) {
        let state = self.lock();
        if state.machine.step() < Step::Ended {
            self.trigger_under(state, kind, trigger, limit);
        }
    }

    /// As [`trigger`](Self::trigger), for a caller who has looked at the state or changed it: both are one event.
    pub(crate) fn trigger_under<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        kind: CauseKind,
        trigger: Trigger,
        limit: Option<Duration>,
    ) {
        let now = self.now();
        let is_first = state.machine.trigger(now, trigger, limit);
        state.record.trigger(kind.clone(), now);
        let news = if is_first { vec![News::Triggered(kind)] } else { Vec::new() };
        let news = self.drive_quietly(state, now, news);
        self.changed();
        self.tell(news);
    }

    pub(crate) fn escalate(self: &Arc<Self>, level: Escalation, kind: CauseKind) {
        self.trigger(kind, Trigger::Request, None);
        self.hurry(level);
    }

    /// Makes a shutdown that has begun hurry, in the groups inside as well.
    pub(crate) fn hurry(self: &Arc<Self>, level: Escalation) {
        let mut state = self.lock();
        let now = self.now();
        state.machine.escalate(now, level);
        let is_stopped = |entry: &Entry| entry.stop_asked().is_some();
        let orders = state.orders(Order::Hurry(level), now, is_stopped);
        self.drive(state, now, Vec::new());
        orders.into_iter().for_each(link::Step::take);
    }

    /// Stops one task and nobody else.
    pub(crate) fn stop_one(self: &Arc<Self>, entry: &Entry) {
        entry.mark_stop_asked(self.now());
        self.cancel_one(entry);
    }

    /// Cancels the context of one task, and stops the group that it may be.
    fn cancel_one(self: &Arc<Self>, entry: &Entry) {
        let mut wakers = entry.stage.advance_quietly(Stage::Cancelled);
        wakers.append(self.version.bump_quietly());
        self.wake(wakers);
        let state = self.lock();
        if !state.links.is_empty() {
            let now = self.now();
            let orders = state.orders(Order::Stop, now, |other| other.id == entry.id);
            drop(state);
            orders.into_iter().for_each(link::Step::take);
        }
    }

    pub(crate) fn failure_survived(self: &Arc<Self>, entry: &Entry, error: anyhow::Error) {
        let error = Arc::new(error);
        self.record_failure(entry, FailureKind::Survived(Arc::clone(&error)));
        let (name, id) = (entry.name.clone(), entry.id);
        News::Survived { name, id, error: display(&*error) }.log(self);
    }

    pub(crate) fn panic_beside(self: &Arc<Self>, entry: &Entry, panic: Panic) {
        self.record_failure(entry, FailureKind::Panic(panic));
    }

    fn record_failure(self: &Arc<Self>, entry: &Entry, kind: FailureKind) {
        let name = entry.name.to_string();
        let mut state = self.lock();
        let at = self.now();
        let failure = Failure { origin: entry.role.origin(), name, id: Some(entry.id), kind, at };
        if state.machine.step() == Step::Ended {
            // Of one that was given up, and too late for the report: nobody would ever see it.
            drop(state);
            return discard(failure);
        }
        state.record.fail(Some(entry.id), failure);
        let evicted = std::mem::take(&mut state.record.evicted);
        drop(state);
        evicted.into_iter().for_each(discard);
        self.changed();
    }

    /// Records that the service could not be set up, and stops the group.
    pub(crate) fn setup_failed(self: &Arc<Self>, error: anyhow::Error) {
        let text = display(&error);
        let (name, kind) = (self.name.to_string(), FailureKind::Error(Arc::new(error)));
        let mut state = self.lock();
        let failure = Failure { origin: Origin::Setup, name, id: None, kind, at: self.now() };
        if state.machine.step() == Step::Ended {
            drop(state);
            discard(failure);
            News::LateSetup { error: text }.log(self);
            return;
        }
        state.record.fail(None, failure);
        let evicted = std::mem::take(&mut state.record.evicted);
        self.trigger_under(state, CauseKind::SetupFailed, Trigger::Failure, None);
        evicted.into_iter().for_each(discard);
    }

    pub(crate) fn wait_began(self: &Arc<Self>) {
        self.check_parent();
        let mut state = self.lock();
        let is_first = !state.machine.waited();
        state.machine.wait_began();
        state.update_started();
        let now = self.now();
        self.drive(state, now, Vec::new());
        if is_first {
            self.changed();
        }
    }

    pub(crate) fn readiness_changed(self: &Arc<Self>, entry: &Entry) {
        let mut state = self.lock();
        let listed = state.tasks.get(entry.key).filter(|listed| listed.id == entry.id).cloned();
        if let Some(entry) = &listed {
            state.gates.changed(entry);
        }
        state.update_started();
        drop(state);
        self.changed();
        if let Some(entry) = listed.filter(|_| News::tells_clean_tasks()) {
            let is_ready = entry.is_ready();
            News::Ready(entry, is_ready).log(self);
        }
    }
}
