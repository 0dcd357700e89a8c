//! Signals that arrived, for a thread that blocks until one does or for an async task.

use std::{future::poll_fn, io, mem, pin::Pin};

use futures_core::Stream as _;
#[cfg(not(feature = "sender"))]
use signal_hook::iterator::exfiltrator::SignalOnly as Kept;
#[cfg(feature = "sender")]
use signal_hook::iterator::exfiltrator::{WithOrigin as Kept, origin::Origin};
use signal_hook::iterator::{SignalsInfo, backend::Handle};

use crate::values::{Signal, SignalSet};

/// Captured signals that were not read yet.
///
/// Without feature `sender`, several of a kind are kept as one. With it, up to five of a kind are
/// kept with their senders, and further ones are dropped.
#[derive(Debug)]
pub(crate) struct Inbox {
    signals: SignalsInfo<Kept>,
    /// Signals that arrived before the inbox was opened, or were put back. They are read first.
    early: Vec<(Signal, Option<u32>)>,
}

/// Closes an [`Inbox`] when dropped.
#[derive(Debug)]
pub(crate) struct Closer(Handle);

/// Wakes an async task when an inbox has signals.
///
/// The stream of signal-hook-tokio can be made only inside a runtime, and a trigger is made before
/// there is one. So the inbox holds the signals, and the stream only wakes the task. Handlers run
/// in the order of their registration, and the inbox is first: a task that is woken finds the
/// signal.
pub(crate) struct Listener(signal_hook_tokio::Signals);

impl Inbox {
    /// Captures signals from now on.
    pub(crate) fn open(signals: &[Signal]) -> io::Result<Self> {
        let numbers = signals.iter().map(|signal| signal.number());
        Ok(Self { signals: SignalsInfo::new(numbers)?, early: Vec::new() })
    }

    /// Adds signals that arrived before.
    pub(crate) fn begin_with(&mut self, early: Vec<(Signal, Option<u32>)>) {
        self.early = early;
    }

    /// Has a signal read once more.
    pub(crate) fn put_back(&mut self, signal: Signal) {
        self.early.push((signal, None));
    }

    pub(crate) fn closer(&self) -> Closer {
        Closer(self.signals.handle())
    }

    /// Blocks until signals arrive or the inbox is closed, and returns the signals with their
    /// senders.
    pub(crate) fn wait(&mut self) -> Vec<(Signal, Option<u32>)> {
        let mut signals = mem::take(&mut self.early);
        let arrived = if signals.is_empty() { self.signals.wait() } else { self.signals.pending() };
        // One that arrived just as the inbox was opened may be here twice.
        let early: Vec<_> = signals.iter().map(|(signal, _)| *signal).collect();
        signals.extend(arrived.map(read).filter(|(signal, _)| !early.contains(signal)));
        signals
    }

    /// Returns the signals that arrived since the last call, each once, without blocking.
    pub(crate) fn take(&mut self) -> SignalSet {
        let early = mem::take(&mut self.early).into_iter();
        early.chain(self.signals.pending().map(read)).map(|(signal, _)| signal).collect()
    }

    /// Returns whether the inbox is closed, after which no signal arrives.
    pub(crate) fn is_closed(&self) -> bool {
        self.signals.is_closed()
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Listener {
    /// Listens from now on. Signals that arrived before are in the inbox.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, or in one without an I/O driver.
    pub(crate) fn new(signals: &[Signal]) -> io::Result<Self> {
        let numbers = signals.iter().map(|signal| signal.number());
        signal_hook_tokio::Signals::new(numbers).map(Self)
    }

    /// Resolves when the inbox has signals that arrived since the last call, or may have. Cancel
    /// safe.
    pub(crate) async fn arrived(&mut self, _inbox: &mut Inbox) {
        // The stream ends only when it is closed, which does not happen.
        poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await;
    }
}

#[cfg(feature = "sender")]
fn read(origin: Origin) -> (Signal, Option<u32>) {
    let pid = origin.process.and_then(|process| u32::try_from(process.pid).ok());
    // The pid of a process in another pid namespace is 0.
    (Signal::new(origin.signal), pid.filter(|pid| *pid != 0))
}

#[cfg(not(feature = "sender"))]
fn read(number: i32) -> (Signal, Option<u32>) {
    (Signal::new(number), None)
}
