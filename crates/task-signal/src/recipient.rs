//! The group that signals are delivered to.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use task_core::{Context, Escalation, Step};

use crate::{Reaction, Received, Signal, lease::Lease, platform::act_by_default};

/// What is to be done about a signal.
pub(crate) enum Errand {
    /// The group is to hear of it.
    Deliver(Received),
    /// The group need not hear of it, unless the report has been made: then it acts by default.
    Check(Signal),
}

/// The group, once the task runs.
#[derive(Clone)]
pub(crate) struct Recipient {
    pub(crate) context: Context,
    pub(crate) lease: Arc<Lease>,
}

impl Recipient {
    /// Does an errand. A scope that panics, which none may, does not end the ladder.
    pub(crate) fn take(&self, errand: &Errand) {
        let result = catch_unwind(AssertUnwindSafe(|| match errand {
            Errand::Deliver(received) => self.deliver(received),
            Errand::Check(signal) => _ = self.has_ended(*signal),
        }));
        result.unwrap_or_else(std::mem::forget);
    }

    fn deliver(&self, received: &Received) {
        if self.has_ended(received.signal) {
            return;
        }
        let level = match received.reaction {
            Reaction::EndDrain => Some(Escalation::EndDrain),
            Reaction::Abort => Some(Escalation::Abort),
            Reaction::Log | Reaction::Dump | Reaction::Stop | Reaction::Exit => None,
        };
        // What begins a shutdown is to be its cause; once one has begun, what hurries it comes first.
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

    /// Tells whether the report has been made. Then the signal has overtaken the news of it, and acts as every later
    /// one will.
    fn has_ended(&self, signal: Signal) -> bool {
        let has_ended = self.context.group().step() == Step::Ended;
        if has_ended {
            self.lease.end();
            act_by_default(signal);
        }
        has_ended
    }
}
