//! The reader: reads signals, climbs their ladders, and hands out what follows.

use std::{
    io, mem,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use task_core::{
    Context,
    scope::{Sender, channel},
};

use super::{Ladder, Offload, Recipient, logger::Logger, offload::Job};
use crate::{
    capture::{Lease, custody},
    log::Inherited,
    panics::lock,
    platform::{ExitMeanwhile, Inbox},
    values::{Reaction, Received, Signal},
};

/// The most signals that only log or dump and are kept for a task that does not run yet.
const MOST_EARLY: usize = 32;

/// What the reader thread owns.
pub(crate) struct Reader {
    pub(crate) ladders: Vec<Ladder>,
    pub(crate) repeat_window: Duration,
}

/// What the reader reads.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) inbox: Inbox,
    pub(crate) lease: Arc<Lease>,
}

/// What the reader shares with the task.
#[derive(Debug)]
pub(crate) struct Shared {
    target: Mutex<Target>,
    logger: Logger,
    /// Locked for as long as a job is waited for. No lock is taken while it is.
    offload: Mutex<Offload>,
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
    /// Sets the group to deliver to, and delivers what arrived early. Called by the task; what may
    /// block is left to the threads.
    pub(crate) fn attach(&self, recipient: Recipient, inherited: Inherited) {
        self.logger.send_inherited(inherited);
        let mut target = lock(&self.target);
        let previous = mem::replace(&mut *target, Target::Group(recipient.clone()));
        let Target::Early(early) = previous else { return };
        for received in &early {
            custody::count(received.signal, Instant::now());
            // Under the lock, so that they precede those that the reader delivers.
            let mut event = self.logger.event(received, &recipient.context);
            event.is_logged = true;
            self.logger.send(event);
        }
        drop(target);
        if !early.is_empty() {
            let deliver = move || early.iter().for_each(|received| recipient.deliver(received));
            self.offload(deliver).unwrap_or_else(|deliver| deliver());
        }
    }

    /// Waits until the log has what came so far, for at most `limit`.
    pub(crate) async fn logged(&self, limit: Duration) {
        self.logger.handled(limit).await;
    }

    /// Runs what may block on the offload thread. Returns it if there is no thread.
    fn offload(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Job> {
        lock(&self.offload).run(Box::new(job))
    }

    /// Returns the task's context, if it runs.
    fn context(&self) -> Option<Context> {
        match &*lock(&self.target) {
            Target::Group(recipient) => Some(recipient.context.clone()),
            Target::Early(_) => None,
        }
    }

    /// Returns the recipient. If there is none yet, keeps the signal for it.
    fn recipient_or_keep(&self, received: &Received) -> Option<Recipient> {
        let mut target = lock(&self.target);
        let early = match &mut *target {
            Target::Group(recipient) => return Some(recipient.clone()),
            Target::Early(early) => early,
        };
        if received.reaction.is_step() || early.len() < MOST_EARLY {
            early.push(received.clone());
        }
        self.logger.send(self.logger.early_event(received));
        None
    }
}

impl Reader {
    /// Starts the thread, which waits for what it is to read. It ends if the sender is dropped
    /// without.
    pub(crate) fn start(
        self,
        logger: Logger,
        offload: Offload,
    ) -> io::Result<(Arc<Shared>, Sender<Source>)> {
        let (sender, sources) = channel();
        let (target, offload) = (Mutex::new(Target::Early(Vec::new())), Mutex::new(offload));
        let shared = Arc::new(Shared { target, logger, offload });
        let thread = thread::Builder::new().name("signal-reader".to_owned());
        let for_thread = Arc::clone(&shared);
        thread.spawn(move || sources.recv().map(|source| self.run(source, &for_thread)))?;
        Ok((shared, sender))
    }

    /// Reads until the signals are released.
    fn run(mut self, source: Source, shared: &Shared) {
        let Source { mut inbox, lease } = source;
        // A repeat is one whichever task the first was counted by.
        for ladder in &mut self.ladders {
            ladder.counted_at = custody::counted_at(ladder.signal);
        }
        loop {
            let mut signals = inbox.wait();
            let is_closed = inbox.is_closed();
            if is_closed {
                // Those between the wait and the close.
                signals.extend(inbox.wait());
            }
            custody::see(&lease, &signals);
            signals.into_iter().for_each(|signal| self.handle(shared, &lease, signal));
            if is_closed {
                break;
            }
        }
        if let Target::Early(early) = &mut *lock(&shared.target) {
            early.drain(..).for_each(|it| custody::keep(&lease, it.signal, it.sender));
        }
        lease.outlast_repeats();
    }

    fn handle(
        &mut self,
        shared: &Shared,
        lease: &Arc<Lease>,
        (signal, sender): (Signal, Option<u32>),
    ) {
        let (now, window) = (Instant::now(), self.repeat_window);
        let ladder = self.ladders.iter_mut().find(|ladder| ladder.signal == signal);
        // A repeat has no effect, before the end of the group and after it.
        let Some(received) = ladder.and_then(|ladder| ladder.climb(sender, now, window)) else {
            return;
        };
        // Before anything else: the exit depends on no lock of a manager.
        if received.reaction == Reaction::Exit {
            let context = shared.context();
            lock(&shared.offload).force_exit(&received, context);
        }
        let Some(recipient) = shared.recipient_or_keep(&received) else { return };
        if recipient.has_ended() {
            custody::end(lease);
        }
        if lease.has_ended() {
            return custody::keep(lease, signal, sender);
        }
        custody::count(signal, now);
        // Made first, with its hold: once the signal is delivered, the task may end.
        let event = shared.logger.event(&received, &recipient.context);
        if received.reaction.is_step() {
            let refused = shared.offload(move || recipient.deliver(&received));
            refused.unwrap_or_else(|step| {
                // A step that may block this thread is better than one that is lost.
                let ahead = self.ladders.iter().filter(|ladder| ladder.leads_to_exit());
                let _exit = ExitMeanwhile::at(ahead.map(|ladder| ladder.signal));
                step();
            });
        }
        shared.logger.send(event);
    }
}
