//! The thread that reads signals and climbs their ladders.
//!
//! It calls nothing that could block it: not the manager (that is the courier's), not the log nor a callback (those
//! are the teller's). So the last step of a ladder works when everything else is stuck.

use std::{
    io::{Write as _, stderr},
    sync::{
        atomic::Ordering,
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Reaction, Received, Signal,
    courier::{Errand, IsChecking},
    ladder::Ladder,
    platform::{Inbox, act_by_default, exit_now},
    teller::Teller,
};

/// How long the exit waits for its line to be written: standard error may be a pipe that nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Reads signals until the inbox is closed.
pub(crate) struct Watcher {
    pub(crate) inbox: Inbox,
    pub(crate) ladders: Vec<Ladder>,
    pub(crate) repeat_window: Duration,
    pub(crate) errands: Sender<Errand>,
    pub(crate) teller: Teller,
    pub(crate) is_checking: IsChecking,
}

impl Watcher {
    pub(crate) fn watch(mut self) {
        while !self.inbox.is_closed() {
            let come = self.inbox.wait();
            for (signal, sender) in come {
                if self.inbox.is_closed() {
                    act_by_default(signal);
                } else {
                    self.receive(signal, sender);
                }
            }
        }
        // What came between the last wait and the close.
        self.inbox.wait().for_each(|(signal, _)| act_by_default(signal));
    }

    fn receive(&mut self, signal: Signal, sender: Option<u32>) {
        let Some(ladder) = self.ladders.iter_mut().find(|ladder| ladder.signal == signal) else {
            return;
        };
        let Some((count, reaction)) = ladder.climb(Instant::now(), self.repeat_window) else {
            self.check(signal);
            return;
        };
        let received = Received { signal, sender, count, reaction };
        match reaction {
            Reaction::Exit => leave(&received),
            Reaction::Log | Reaction::Dump => {
                self.teller.tell_if_idle(received);
                self.check(signal);
            }
            Reaction::Stop | Reaction::EndDrain | Reaction::Abort => {
                // It fails when the courier is gone, which is after the inbox was closed.
                let _ = self.errands.send(Errand::Deliver(received));
            }
        }
    }

    fn check(&self, signal: Signal) {
        if !self.is_checking.swap(true, Ordering::SeqCst) {
            let _ = self.errands.send(Errand::Check(signal));
        }
    }
}

/// Ends the process. The line is written by a thread of its own, which may get stuck on the way.
fn leave(received: &Received) -> ! {
    let code = received.signal.exit_code();
    let line = format!(
        "received {received} (number {}): exit with code {code}, without cleanup\n",
        received.count
    );
    let (done, wait) = channel();
    let writer = thread::Builder::new().name("signal-exit".to_owned()).spawn(move || {
        let written = stderr().write_all(line.as_bytes());
        let _ = done.send(written);
    });
    if writer.is_ok() {
        let _ = wait.recv_timeout(LAST_WORDS);
    }
    exit_now(code)
}
