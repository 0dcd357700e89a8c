//! What stops a group, makes it hurry, or stops one task of it.

use std::{sync::Arc, time::Duration};

use task_core::{Escalation, Step, scope::Stage};

use crate::{
    group::entry::Entry,
    group::log::News,
    group::nesting::{self, Order},
    group::shared::Shared,
    group::state::State,
    lifecycle::machine::Trigger,
    report::cause::CauseKind,
    sync::MutexGuard,
};

impl Shared {
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
        self.escalate_under(self.lock(), Some(kind), Trigger::Request, None, level);
    }

    /// Makes the shutdown hurry, in the groups inside as well. It is begun under the same lock, or recorded under `kind`,
    /// since whatever is done for that outside may block.
    pub(crate) fn escalate_under<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        kind: Option<CauseKind>,
        trigger: Trigger,
        limit: Option<Duration>,
        level: Escalation,
    ) {
        if state.machine.step() == Step::Ended {
            return;
        }
        let now = self.now();
        let is_first = state.machine.trigger(now, trigger, limit);
        let mut news = Vec::new();
        if let Some(kind) = kind {
            state.record.trigger(kind.clone(), now);
            news.extend(is_first.then_some(News::Triggered(kind)));
        }
        state.machine.escalate(now, level);
        let is_stopped = |entry: &Entry| entry.stop_asked().is_some();
        let orders = state.orders(Order::Hurry(level), now, is_stopped);
        let news = self.drive_quietly(state, now, news);
        orders.into_iter().for_each(nesting::Step::take);
        self.changed();
        self.tell(news);
    }

    /// Stops one task and nobody else.
    pub(crate) fn stop_one(self: &Arc<Self>, entry: &Entry) {
        entry.mark_stop_asked(self.now());
        self.cancel_one(entry);
    }

    /// Cancels the context of one task, and stops the group that it may be.
    pub(crate) fn cancel_one(self: &Arc<Self>, entry: &Entry) {
        let mut wakers = entry.stage.advance_quietly(Stage::Cancelled);
        wakers.append(self.version.bump_quietly());
        self.wake(wakers);
        let state = self.lock();
        if !state.links.is_empty() {
            let now = self.now();
            let orders = state.orders(Order::Stop, now, |other| other.id == entry.id);
            drop(state);
            orders.into_iter().for_each(nesting::Step::take);
            self.tell(Vec::new());
        }
    }
}
