//! The thread that carries signals to the manager.
//!
//! Its calls are not supposed to block. Should one do so all the same, the thread is stuck, and the watcher still
//! counts and exits without it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
};

use task_core::{Context, Escalation, Step};

use crate::{Reaction, Received, Signal, lease::Lease, platform::act_by_default, teller::Teller};

/// What the courier is sent for. At most as many wait as ladders have steps, and two more.
pub(crate) enum Errand {
    /// The task runs: from now on there is somebody to deliver to.
    Attach(Context),
    /// A signal that the manager is to hear of.
    Deliver(Received),
    /// A signal that the manager need not hear of, unless the report has been made: then it acts by default.
    Check(Signal),
}

/// At most one [`Errand::Check`] is under way, however fast signals come.
pub(crate) type IsChecking = Arc<AtomicBool>;

/// Delivers until nobody can send it any more.
pub(crate) struct Courier {
    pub(crate) errands: Receiver<Errand>,
    pub(crate) teller: Teller,
    pub(crate) lease: Arc<Lease>,
    pub(crate) is_checking: IsChecking,
}

impl Courier {
    pub(crate) fn carry(self) {
        let mut context = None;
        // Signals that came before the task ran.
        let mut early = Vec::new();
        while let Ok(errand) = self.errands.recv() {
            match (errand, &context) {
                (Errand::Attach(attached), _) => {
                    self.teller.attach(&attached);
                    for received in early.drain(..) {
                        self.deliver(&attached, &received);
                    }
                    context = Some(attached);
                }
                (Errand::Deliver(received), Some(context)) => {
                    self.teller.tell(received.clone(), Some(context));
                    self.deliver(context, &received);
                }
                (Errand::Deliver(received), None) => {
                    self.teller.tell(received.clone(), None);
                    early.push(received);
                }
                (Errand::Check(signal), context) => {
                    self.is_checking.store(false, Ordering::SeqCst);
                    if let Some(context) = context {
                        guarded(|| _ = self.has_ended(context, signal));
                    }
                }
            }
        }
        // The task was dropped without having run, and so nobody has heard of these.
        for received in early {
            act_by_default(received.signal);
        }
    }

    fn deliver(&self, context: &Context, received: &Received) {
        guarded(|| {
            if self.has_ended(context, received.signal) {
                return;
            }
            context.request_stop(format!("signal {received}"));
            match received.reaction {
                Reaction::EndDrain => context.escalate(Escalation::EndDrain),
                Reaction::Abort => context.escalate(Escalation::Abort),
                Reaction::Log | Reaction::Dump | Reaction::Stop | Reaction::Exit => {}
            }
            context.status(format!("received {received}"));
        });
    }

    /// Tells whether the report has been made. Then the signal has overtaken the news of that, and acts as every later
    /// one will.
    fn has_ended(&self, context: &Context, signal: Signal) -> bool {
        let has_ended = context.group().step() == Step::Ended;
        if has_ended {
            self.lease.end();
            act_by_default(signal);
        }
        has_ended
    }
}

/// Keeps a scope that panics, which none may, from ending the ladder.
fn guarded(body: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(body));
    result.unwrap_or_else(std::mem::forget);
}
