//! The reader: reads signals, climbs their ladders, and hands out what follows.

use std::{
    io, mem,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    Ladder, Offload, Recipient,
    logger::{Event, Logger},
};
use crate::{
    panics::lock,
    platform::{Inbox, act_by_default},
    values::{Reaction, Received, Signal},
};

/// The most signals that only log or dump and are kept for a task that does not run yet.
const MOST_EARLY: usize = 32;

/// What the reader thread owns.
pub(crate) struct Reader {
    pub(crate) ladders: Vec<Ladder>,
    pub(crate) repeat_window: Duration,
    pub(crate) offload: Offload,
}

/// What the reader shares with the task.
#[derive(Debug)]
pub(crate) struct Shared {
    target: Mutex<Target>,
    logger: Logger,
}

/// Where signals are delivered to.
#[derive(Debug)]
enum Target {
    /// Nowhere yet: the task does not run. These signals wait for it, and a ladder has finitely
    /// many steps.
    Early(Vec<Received>),
    Group(Recipient),
}

impl Shared {
    /// Sets the group to deliver to, and delivers what arrived early. Called by the task.
    pub(crate) fn attach(&self, recipient: Recipient) {
        let mut target = lock(&self.target);
        let previous = mem::replace(&mut *target, Target::Group(recipient.clone()));
        let Target::Early(early) = previous else { return };
        for received in &early {
            // Under the lock, so that they precede those that the reader delivers.
            let event = self.logger.event(received, &recipient.context);
            self.logger.send(Event { is_logged: true, ..event });
        }
        drop(target);
        early.iter().for_each(|received| recipient.deliver(received));
    }

    /// Returns the recipient. If there is none yet, keeps the signal for it.
    fn recipient_or_keep(&self, received: Option<&Received>) -> Option<Recipient> {
        let mut target = lock(&self.target);
        let early = match &mut *target {
            Target::Group(recipient) => return Some(recipient.clone()),
            Target::Early(early) => early,
        };
        let received = received?.clone();
        if received.reaction.is_step() || early.len() < MOST_EARLY {
            early.push(received.clone());
        }
        self.logger.send(Event { received, task: None, is_logged: false });
        None
    }
}

impl Reader {
    /// Starts the thread, which waits for its inbox. It ends if the sender is dropped without.
    pub(crate) fn start(self, logger: Logger) -> io::Result<(Arc<Shared>, mpsc::Sender<Inbox>)> {
        let (sender, inboxes) = mpsc::channel();
        let shared = Arc::new(Shared { target: Mutex::new(Target::Early(Vec::new())), logger });
        let thread = thread::Builder::new().name("signal-reader".to_owned());
        let for_thread = Arc::clone(&shared);
        thread.spawn(move || inboxes.recv().map(|inbox| self.run(inbox, &for_thread)))?;
        Ok((shared, sender))
    }

    /// Reads until the signals are released.
    fn run(mut self, mut inbox: Inbox, shared: &Shared) {
        loop {
            let signals = inbox.wait();
            if inbox.is_closed() {
                // Neither these nor those between the wait and the close belong to a task now.
                signals.chain(inbox.wait()).for_each(|(signal, _)| act_by_default(signal));
                break;
            }
            signals.for_each(|(signal, sender)| self.handle(shared, signal, sender));
        }
        if let Target::Early(early) = &mut *lock(&shared.target) {
            early.drain(..).for_each(|received| act_by_default(received.signal));
        }
    }

    fn handle(&mut self, shared: &Shared, signal: Signal, sender: Option<u32>) {
        let (now, window) = (Instant::now(), self.repeat_window);
        let ladder = self.ladders.iter_mut().find(|ladder| ladder.signal == signal);
        let counted = ladder.and_then(|ladder| ladder.climb(sender, now, window));
        // Before anything else: the exit depends on no lock of a manager.
        if let Some(received) = counted.as_ref().filter(|it| it.reaction == Reaction::Exit) {
            self.offload.force_exit(received);
        }
        let Some(recipient) = shared.recipient_or_keep(counted.as_ref()) else { return };
        // A repeat acts by default after the end as well.
        if !recipient.has_ended(signal)
            && let Some(received) = counted
        {
            // Made first, with its hold: once the signal is delivered, the task may end.
            let event = shared.logger.event(&received, &recipient.context);
            if received.reaction.is_step() {
                let step = Box::new(move || recipient.deliver(&received));
                // A step that may block the reader is better than one that is lost.
                self.offload.run(step).unwrap_or_else(|step| step());
            }
            shared.logger.send(event);
        }
    }
}
