//! What stops a group, escalates its shutdown, or stops one task of it.

use std::sync::Arc;
use std::time::Duration;

use task_core::scope::Stage;
use task_core::{Escalation, Step};

use super::{Entry, Event, Member, Names, Shared, Turn};
use crate::lifecycle::Trigger;
use crate::report::CauseKind;
use crate::sync::{Ordering, lock};

impl Shared {
    /// Begins the shutdown, or records what would have.
    pub(crate) fn trigger(self: &Arc<Self>, kind: CauseKind, trigger: Trigger) {
        let mut turn = self.turn();
        if turn.state.machine.step() < Step::Ended {
            turn.trigger(kind, trigger, None);
            turn.finish();
        }
    }

    /// Begins the shutdown of a group that has no owner any more (invariant 11). If nothing waits
    /// for it, nothing learns how it ends, and the process may end first: what that can cost is
    /// logged at once.
    pub(crate) fn owner_dropped(self: &Arc<Self>) {
        let is_nested = lock(&self.outer).is_some();
        let mut turn = self.turn();
        if turn.state.machine.step() == Step::Ended {
            return;
        }
        let state = &turn.state;
        let alive = Names::of(state.living().map(|entry| &***entry));
        let cleanups = Names::list(state.hooks.iter().rev().map(|hook| &*hook.name));
        let failures = state.record.failure_count();
        let is_over = alive.names.is_empty() && cleanups.names.is_empty() && failures == 0;
        if !is_over && !is_nested && self.waiting.load(Ordering::SeqCst) == 0 {
            turn.log(Event::Dropped { alive, cleanups, failures });
        }
        turn.trigger(CauseKind::Dropped, Trigger::Plain, None);
        turn.finish();
    }

    /// Escalates the shutdown, which it begins if need be.
    pub(crate) fn escalate(self: &Arc<Self>, level: Escalation, kind: CauseKind) {
        let mut turn = self.turn();
        if turn.state.machine.step() < Step::Ended {
            turn.trigger(kind, Trigger::Request, None);
            let now = turn.now();
            turn.state.machine.escalate(now, level);
            turn.finish();
        }
    }

    /// Follows the parent token or the outer group: begins the shutdown, or keeps one that has
    /// begun within what the outer group has left. The cause is recorded once.
    pub(crate) fn follow(
        self: &Arc<Self>,
        trigger: Trigger,
        limit: Option<Duration>,
        level: Option<Escalation>,
    ) {
        let mut turn = self.turn();
        if turn.state.machine.step() == Step::Ended {
            return;
        }
        let now = turn.now();
        let first = limit.filter(|_| level.is_none());
        if std::mem::replace(&mut turn.state.has_followed, true) {
            turn.state.machine.trigger(now, trigger, first);
        } else {
            turn.trigger(CauseKind::Parent, trigger, first);
        }
        if let Some(level) = level {
            // Before the limit comes, of which the cleanups then may have the larger part.
            turn.state.machine.escalate(now, level);
            turn.state.machine.trigger(now, trigger, limit);
        }
        turn.finish();
    }

    /// Stops one task and no other.
    pub(crate) fn stop_one(self: &Arc<Self>, entry: &Entry) {
        if entry.stop_timeout().is_none() {
            // Nothing to limit: the machine need not know of it.
            entry.mark_stop_asked(self.now());
            return self.cancel_one(entry);
        }
        let mut turn = self.turn();
        turn.stop_one(entry, None);
        turn.finish();
    }

    /// Stops one task and no other, and aborts it after `limit` if it is alive then.
    pub(crate) fn stop_one_within(self: &Arc<Self>, entry: &Entry, limit: Duration) {
        let mut turn = self.turn();
        turn.stop_one(entry, Some(limit));
        turn.finish();
    }

    /// Cancels the context of one task.
    pub(crate) fn cancel_one(self: &Arc<Self>, member: &Member) {
        let mut wakers = member.stage.advance_quietly(Stage::Cancelled);
        wakers.append(self.version.bump_quietly());
        wakers.wake();
    }
}

impl Turn<'_> {
    /// Asks one task to stop, and limits how long it may take: by its stop timeout, from the first
    /// request on, and by `limit` from now on.
    fn stop_one(&mut self, entry: &Entry, limit: Option<Duration>) {
        let now = self.now();
        entry.mark_stop_asked(now);
        // Once it has ended, its key may be that of another task.
        if entry.outcome().is_none() && !entry.is_abort_asked() {
            let machine = &mut self.state.machine;
            let (key, phase) = (entry.key, entry.phase);
            if let (Some(asked), Some(timeout)) = (entry.stop_asked(), entry.stop_timeout()) {
                machine.task_asked(key, phase, asked, timeout);
            }
            if let Some(limit) = limit
                && machine.task_limited(key, phase, now, limit)
            {
                entry.update(|details| details.requested_limit = Some(limit));
            }
        }
        // In the same turn as its limits: a task that wakes at once sees how long it has left.
        self.wake(entry.stage.advance_quietly(Stage::Cancelled));
    }
}
