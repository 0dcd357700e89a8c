//! What happens to a group: ends, failures, readiness. Each event changes the state under the lock, and then
//! drives the state machine. The time of an event is read under the lock, so that the order of the times is the order
//! of the events, in which the report has the failures: the first is the root.

use std::{cell::LazyCell, sync::Arc};

use task_core::{Outcome, Step, scope::Stage};

use crate::{
    group::entry::{Entry, Role},
    group::log::News,
    group::shared::Shared,
    lifecycle::machine::Trigger,
    report::cause::CauseKind,
    report::end::End,
    report::failure::{Failure, FailureKind, FailureOrigin},
    threads::clock::Whereabouts,
    threads::panics::{Panic, discard, display},
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
            state.abandoned.remove(&entry.id);
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
            discard(links);
            discard(late);
            evicted.into_iter().for_each(discard);
            self.changed();
            self.tell(vec![News::Late { entry: Arc::clone(entry), outcome, detail }]);
            return;
        }
        let removed;
        if matches!(outcome, Outcome::Aborted | Outcome::Panicked) {
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
                        let was_asked = entry.stop_asked().is_some();
                        let kind = CauseKind::task_ended(&entry.name, entry.id, outcome, was_asked);
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
        drop(removed);
        if !(links.is_empty() && spent.is_empty()) {
            discard((links, spent));
        }
        evicted.into_iter().for_each(discard);
    }

    /// Takes in the end of a future whose task is still held. What went wrong counts from now on and not only once the
    /// last hold is gone, and whoever holds the task hears that it is over.
    pub(crate) fn future_ended_held(self: &Arc<Self>, entry: &Arc<Entry>, end: End) {
        let outcome = end.outcome();
        // Whether an abort that was asked for succeeds, the last hold decides.
        let is_open = outcome.is_clean()
            || matches!(end, End::Aborted) && entry.is_abort_asked()
            || entry.role == Role::Cleanup;
        if is_open {
            entry.mark_over(self.now());
            entry.keep_end(end);
            self.cancel_one(entry);
            return;
        }
        let detail = end.detail();
        let mut state = self.lock();
        if state.machine.step() == Step::Ended {
            drop(state);
            entry.keep_end(end);
            return;
        }
        let now = self.now();
        let was_asked = entry.stop_asked().is_some();
        let kind = CauseKind::task_ended(&entry.name, entry.id, outcome, was_asked);
        let mut news = vec![News::Ended { entry: Arc::clone(entry), outcome, detail, now }];
        state.record.end(entry, end, now);
        let step = state.machine.step();
        state.gates.ended(entry, outcome, step, false);
        state.record.trigger(kind.clone(), now);
        if state.machine.trigger(now, Trigger::Failure, None) {
            news.push(News::Triggered(kind));
        }
        let evicted = std::mem::take(&mut state.record.evicted);
        drop(state);
        // Before anything that may block.
        entry.mark_over(now);
        entry.keep_end(End::Recorded(outcome));
        let state = self.lock();
        let now = self.now();
        let news = self.drive_quietly(state, now, news);
        self.cancel_one(entry);
        self.tell(news);
        evicted.into_iter().for_each(discard);
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
        let failure =
            Failure { origin: FailureOrigin::Setup, name, id: None, kind, at: self.now() };
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
