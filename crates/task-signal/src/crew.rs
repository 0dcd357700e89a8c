//! The threads that serve signals without a runtime.
//!
//! One of them keeps the watch: it reads signals and climbs their ladders, and does nothing that might block it. When
//! there is something to deliver, it first hands the watch to another one, and then delivers by itself: no time is lost
//! between the signal and the group, and whatever the delivery runs into (a manager writes to a log that nobody reads,
//! say), the next signal is read and counted, and the last step of a ladder exits.
//!
//! Two threads are there from the start, so that the system's refusal is an error of the constructor. Another one is
//! started when the watch is to be handed over and no thread is free, because they are stuck: in a delivery, of which
//! there are at most as many as ladders have steps, or in telling, of which there is one.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{
    Reaction, Received, Signal,
    leave::leave,
    platform::act_by_default,
    recipient::{Errand, Recipient},
    teller::Teller,
    watch::{Come, Watch},
};

/// How long one delivery may keep the next one waiting, for the sake of order.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many free threads are kept. More of them come about when some were stuck and are no longer.
const ENOUGH: usize = 2;

pub(crate) struct Crew {
    duty: Mutex<Duty>,
    changed: Condvar,
    teller: Teller,
}

#[derive(Default)]
struct Duty {
    /// The watch, while it is handed over.
    watch: Option<Watch>,
    /// How many threads are free to take it, those included that are about to begin.
    free: usize,
    is_over: bool,
    recipient: Option<Recipient>,
    /// What is to be delivered; until there is a recipient, what came early. There are at most as many as ladders have
    /// steps, and one [`Errand::Check`].
    errands: VecDeque<Errand>,
    /// Who delivers, by a number that is new each time.
    deliverer: Option<u64>,
    deliveries: u64,
    is_checking: bool,
    /// Whether there is something to deliver or to tell and nobody to do it, but a free thread.
    has_chores: bool,
}

impl Crew {
    /// Starts the first two threads.
    pub(crate) fn start(watch: Watch, teller: Teller) -> io::Result<Arc<Self>> {
        let duty = Duty { watch: Some(watch), ..Duty::default() };
        let crew = Arc::new(Self { duty: Mutex::new(duty), changed: Condvar::new(), teller });
        let started = crew.add_thread().and_then(|()| crew.add_thread());
        if let Err(error) = started {
            crew.end();
            return Err(error);
        }
        Ok(crew)
    }

    /// Says where to deliver to, and has what came early delivered.
    pub(crate) fn attach(self: &Arc<Self>, recipient: Recipient) {
        let hold = self.teller.hold(&recipient.context);
        let mut duty = self.lock();
        // Under the lock, so that the hold covers every callback for a signal that found no recipient.
        self.teller.attach(recipient.context.clone(), hold);
        duty.recipient = Some(recipient);
        duty.has_chores = true;
        drop(duty);
        if self.staff().is_err() {
            self.deliver([]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Duty> {
        self.duty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_thread(self: &Arc<Self>) -> io::Result<()> {
        let crew = Arc::clone(self);
        self.lock().free += 1;
        let spawned =
            thread::Builder::new().name("signal-crew".to_owned()).spawn(move || crew.serve());
        if spawned.is_err() {
            self.lock().free -= 1;
        }
        spawned.map(drop)
    }

    fn serve(self: Arc<Self>) {
        self.lock().free -= 1;
        while let Some(mut watch) = self.take_watch() {
            loop {
                let Some(come) = watch.next() else { return self.end() };
                let (errands, has_news) = self.sort(come);
                if errands.is_empty() && !has_news {
                    continue;
                }
                match self.hand_over(watch) {
                    None => {
                        self.take(errands);
                        self.teller.tell();
                        break;
                    }
                    // What there is to do has to wait for a thread that comes free.
                    Some(kept) => {
                        watch = kept;
                        self.put(errands);
                        self.lock().has_chores = true;
                    }
                }
            }
        }
    }

    /// Waits until the watch is handed over, and does chores meanwhile. `None`: the signals were let go, or there are
    /// threads enough.
    fn take_watch(&self) -> Option<Watch> {
        let mut duty = self.lock();
        loop {
            if duty.is_over {
                return None;
            }
            if let Some(watch) = duty.watch.take() {
                return Some(watch);
            }
            if std::mem::take(&mut duty.has_chores) {
                drop(duty);
                self.deliver([]);
                self.teller.tell();
                duty = self.lock();
                continue;
            }
            if duty.free >= ENOUGH {
                return None;
            }
            duty.free += 1;
            duty = self.changed.wait(duty).unwrap_or_else(PoisonError::into_inner);
            duty.free -= 1;
        }
    }

    /// Has another thread keep the watch, or returns it if there is none to be had.
    fn hand_over(self: &Arc<Self>, watch: Watch) -> Option<Watch> {
        self.lock().watch = Some(watch);
        match self.staff() {
            Ok(()) => None,
            // If it is gone, it was taken in the meantime.
            Err(_) => self.lock().watch.take(),
        }
    }

    /// Sees to it that there is a free thread for the watch, and one more for chores.
    fn staff(self: &Arc<Self>) -> io::Result<()> {
        let duty = self.lock();
        let needed = usize::from(duty.watch.is_some()) + usize::from(duty.has_chores);
        let is_staffed = duty.free >= needed;
        drop(duty);
        self.changed.notify_all();
        if is_staffed { Ok(()) } else { self.add_thread() }
    }

    /// Does at once what cannot block, and returns what is to be delivered and whether there is something to tell.
    fn sort(&self, come: Vec<Come>) -> (Vec<Errand>, bool) {
        let mut errands = Vec::new();
        let mut has_news = false;
        for come in come {
            match come {
                Come::Counted(received) => match received.reaction {
                    Reaction::Exit => leave(&received),
                    Reaction::Stop | Reaction::EndDrain | Reaction::Abort => {
                        errands.push(Errand::Deliver(received));
                    }
                    Reaction::Log | Reaction::Dump => {
                        errands.extend(self.check(received.signal));
                        has_news |= self.teller.add_if_room(received);
                    }
                },
                Come::Repeat(signal) => errands.extend(self.check(signal)),
            }
        }
        (errands, has_news)
    }

    /// At most one check is under way, however fast signals come.
    fn check(&self, signal: Signal) -> Option<Errand> {
        let mut duty = self.lock();
        if duty.recipient.is_none() || std::mem::replace(&mut duty.is_checking, true) {
            return None;
        }
        Some(Errand::Check(signal))
    }

    /// Delivers signals, or keeps them until there is a recipient; and has them told.
    fn take(&self, errands: Vec<Errand>) {
        self.put(errands);
        let duty = self.lock();
        let found_nobody = duty.recipient.is_none() && duty.is_over;
        drop(duty);
        if found_nobody {
            self.end();
        } else {
            self.deliver([]);
        }
    }

    /// Has signals told, and adds them to what is to be delivered.
    fn put(&self, errands: Vec<Errand>) {
        let mut duty = self.lock();
        if let Some(recipient) = duty.recipient.clone() {
            drop(duty);
            errands.iter().for_each(|errand| self.add_news(errand, Some(&recipient)));
            duty = self.lock();
        } else {
            errands.iter().for_each(|errand| self.add_news(errand, None));
        }
        duty.errands.extend(errands);
    }

    fn add_news(&self, errand: &Errand, recipient: Option<&Recipient>) {
        if let Errand::Deliver(received) = errand {
            let hold = recipient.and_then(|recipient| self.teller.hold(&recipient.context));
            self.teller.add(received.clone(), hold);
        }
    }

    /// Delivers these errands and whatever else waits, in order. If another thread is at it, that one takes them along,
    /// unless it is stuck.
    fn deliver(&self, errands: impl IntoIterator<Item = Errand>) {
        let mut duty = self.lock();
        duty.errands.extend(errands);
        if let Some(other) = duty.deliverer {
            let is_busy =
                |duty: &mut Duty| duty.deliverer == Some(other) && !duty.errands.is_empty();
            let waited = self.changed.wait_timeout_while(duty, PATIENCE, is_busy);
            duty = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Some(recipient) = duty.recipient.clone().filter(|_| !duty.errands.is_empty()) else {
            return;
        };
        duty.deliveries += 1;
        let me = duty.deliveries;
        duty.deliverer = Some(me);
        while duty.deliverer == Some(me)
            && let Some(errand) = duty.errands.pop_front()
        {
            duty.is_checking &= !matches!(errand, Errand::Check(_));
            drop(duty);
            self.changed.notify_all();
            recipient.take(&errand);
            duty = self.lock();
        }
        if duty.deliverer == Some(me) {
            duty.deliverer = None;
        }
        drop(duty);
        self.changed.notify_all();
    }

    /// Sends the threads home. What has found no recipient acts by default.
    fn end(&self) {
        let mut duty = self.lock();
        duty.is_over = true;
        let errands = std::mem::take(&mut duty.errands);
        drop(duty);
        self.changed.notify_all();
        for errand in errands {
            let (Errand::Deliver(Received { signal, .. }) | Errand::Check(signal)) = errand;
            act_by_default(signal);
        }
    }
}
