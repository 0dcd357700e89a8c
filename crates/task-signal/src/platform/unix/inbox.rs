//! Signals that arrived, for a thread that blocks until one does or for an async task.

use std::{collections::BTreeSet, future::poll_fn, io, pin::Pin};

use futures_core::Stream as _;
#[cfg(not(feature = "sender"))]
use signal_hook::iterator::exfiltrator::SignalOnly as Kept;
#[cfg(feature = "sender")]
use signal_hook::iterator::exfiltrator::{WithOrigin as Kept, origin::Origin};
use signal_hook::iterator::{SignalsInfo, backend::Handle};

use crate::values::Signal;

/// Captured signals that were not read yet.
///
/// Without feature `sender`, several of a kind are kept as one. With it, up to five of a kind are
/// kept with their senders, and further ones are dropped.
#[derive(Debug)]
pub(crate) struct Inbox(SignalsInfo<Kept>);

/// Closes an [`Inbox`] when dropped.
#[derive(Debug)]
pub(crate) struct Closer(Handle);

/// An inbox that wakes an async task.
///
/// The stream of signal-hook-tokio can be made only inside a runtime, and a trigger is made before
/// there is one. So the inbox holds the signals, and the stream only wakes the task. Handlers run
/// in the order of their registration, and the inbox is first: a task that is woken finds the
/// signal.
pub(crate) struct Listener {
    pub(crate) inbox: Inbox,
    stream: signal_hook_tokio::Signals,
}

impl Inbox {
    /// Captures signals from now on.
    pub(crate) fn open(signals: &[Signal]) -> io::Result<Self> {
        SignalsInfo::new(signals.iter().map(|signal| signal.number())).map(Self)
    }

    pub(crate) fn closer(&self) -> Closer {
        Closer(self.0.handle())
    }

    /// Blocks until signals arrive or the inbox is closed, and returns the signals with their
    /// senders.
    pub(crate) fn wait(&mut self) -> impl Iterator<Item = (Signal, Option<u32>)> + use<> {
        self.0.wait().map(read)
    }

    /// Returns the signals that arrived since the last call, each once, without blocking.
    pub(crate) fn take(&mut self) -> BTreeSet<Signal> {
        self.0.pending().map(|kept| read(kept).0).collect()
    }

    /// Returns whether the inbox is closed, after which no signal arrives.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
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
    pub(crate) fn new(inbox: Inbox, signals: &[Signal]) -> io::Result<Self> {
        let numbers = signals.iter().map(|signal| signal.number());
        Ok(Self { inbox, stream: signal_hook_tokio::Signals::new(numbers)? })
    }

    /// Resolves when a signal has arrived since the last call, or may have. Cancel safe.
    pub(crate) async fn arrived(&mut self) {
        // The stream ends only when it is closed, which does not happen.
        poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx)).await;
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
