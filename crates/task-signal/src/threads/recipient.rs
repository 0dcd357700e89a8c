//! The group that signals are delivered to.

use task_core::{Context, Escalation, Step};

use crate::values::{Reaction, Received};

/// The group, once the task runs.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) context: Context,
}

impl Recipient {
    /// Returns whether the group's report is made.
    pub(super) fn has_ended(&self) -> bool {
        self.context.group().step() == Step::Ended
    }

    /// Delivers a step. A manager may block here: it logs on the thread of the request.
    pub(super) fn deliver(&self, received: &Received) {
        let level = match received.reaction {
            Reaction::Log | Reaction::Dump | Reaction::Exit => return,
            Reaction::Stop => None,
            Reaction::EndDrain => Some(Escalation::EndDrain),
            Reaction::Abort => Some(Escalation::Abort),
        };
        // The request comes first if it begins the shutdown, so that the signal is the cause. Later
        // on the escalation comes first, since the request may block.
        let begins = self.context.group().step() == Step::Running;
        if let Some(level) = level.filter(|_| !begins) {
            self.context.escalate(level);
        }
        self.context.request_stop(format!("signal {received}"));
        if let Some(level) = level.filter(|_| begins) {
            self.context.escalate(level);
        }
        self.context.set_status(format!("received {received}"));
    }
}
