//! The thread that carries signals to the manager.
//!
//! What it asks of the manager is not supposed to block, but a manager that writes to a log that nobody reads does. So
//! each delivery is made by a thread of its own, and the next one waits for it only as long as it takes to keep them
//! in order.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use task_core::{Context, Escalation, Step};

use crate::{Reaction, Received, Signal, lease::Lease, platform::act_by_default, teller::Teller};

/// How long one delivery keeps the next one waiting.
const PATIENCE: Duration = Duration::from_millis(100);

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

/// Carries until nobody can send it any more.
pub(crate) struct Courier {
    pub(crate) errands: Receiver<Errand>,
    pub(crate) teller: Teller,
    pub(crate) lease: Arc<Lease>,
    pub(crate) is_checking: IsChecking,
}

impl Courier {
    pub(crate) fn carry(self) {
        let mut recipient = None;
        // Signals that came before the task ran.
        let mut early = Vec::new();
        while let Ok(errand) = self.errands.recv() {
            match (errand, &recipient) {
                (Errand::Attach(context), _) => {
                    self.teller.attach(&context);
                    let lease = Arc::clone(&self.lease);
                    let attached = Recipient { context, lease };
                    early.drain(..).for_each(|received| attached.deliver(received));
                    recipient = Some(attached);
                }
                (Errand::Deliver(received), Some(recipient)) => {
                    self.teller.tell(received.clone(), Some(&recipient.context));
                    recipient.deliver(received);
                }
                (Errand::Deliver(received), None) => {
                    self.teller.tell(received.clone(), None);
                    early.push(received);
                }
                (Errand::Check(signal), recipient) => {
                    self.is_checking.store(false, Ordering::SeqCst);
                    if let Some(recipient) = recipient {
                        guarded(|| _ = recipient.has_ended(signal));
                    }
                }
            }
        }
        // The task was dropped without having run, and so nobody has heard of these.
        for received in early {
            act_by_default(received.signal);
        }
    }
}

/// The group that signals go to.
#[derive(Clone)]
struct Recipient {
    context: Context,
    lease: Arc<Lease>,
}

impl Recipient {
    fn deliver(&self, received: Received) {
        let (done, wait) = channel();
        let (recipient, copy) = (self.clone(), received.clone());
        let thread = thread::Builder::new().name("signal-deliver".to_owned()).spawn(move || {
            guarded(|| recipient.hand_over(&copy));
            let _ = done.send(());
        });
        match thread {
            Ok(_) => _ = wait.recv_timeout(PATIENCE),
            Err(_) => guarded(|| self.hand_over(&received)),
        }
    }

    fn hand_over(&self, received: &Received) {
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
        self.context.status(format!("received {received}"));
    }

    /// Tells whether the report has been made. Then the signal has overtaken the news of that, and acts as every later
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

/// Keeps a scope that panics, which none may, from ending the ladder.
fn guarded(body: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(body));
    result.unwrap_or_else(std::mem::forget);
}
