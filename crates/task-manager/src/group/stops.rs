//! What stops a group, escalates its shutdown, or stops one task of it.

use std::sync::Arc;
use std::time::Duration;

use task_core::scope::Stage;
use task_core::{Escalation, Step};

use super::{Entry, Member, Shared};
use crate::lifecycle::Trigger;
use crate::report::CauseKind;

impl Shared {
    /// Begins the shutdown, or records what would have.
    pub(crate) fn trigger(self: &Arc<Self>, kind: CauseKind, trigger: Trigger) {
        let mut turn = self.turn();
        if turn.state.machine.step() < Step::Ended {
            turn.trigger(kind, trigger, None);
            turn.finish();
        }
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
        if std::mem::replace(&mut turn.state.has_followed, true) {
            turn.state.machine.trigger(now, trigger, limit);
        } else {
            turn.trigger(CauseKind::Parent, trigger, limit);
        }
        if let Some(level) = level {
            turn.state.machine.escalate(now, level);
        }
        turn.finish();
    }

    /// Stops one task and no other.
    pub(crate) fn stop_one(self: &Arc<Self>, entry: &Entry) {
        entry.mark_stop_asked(self.now());
        self.cancel_one(entry);
    }

    /// Cancels the context of one task.
    pub(crate) fn cancel_one(self: &Arc<Self>, member: &Member) {
        let mut wakers = member.stage.advance_quietly(Stage::Cancelled);
        wakers.append(self.version.bump_quietly());
        wakers.wake();
    }
}
