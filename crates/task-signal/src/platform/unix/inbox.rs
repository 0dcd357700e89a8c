//! Signals for a thread that blocks on them.

use std::io;

#[cfg(not(feature = "sender"))]
use signal_hook::iterator::exfiltrator::SignalOnly;
#[cfg(feature = "sender")]
use signal_hook::iterator::exfiltrator::{WithOrigin, origin::Origin};
use signal_hook::iterator::{SignalsInfo, backend::Handle};

use crate::Signal;

/// What is kept of a captured signal: up to five of a kind wait with their senders, and what comes on top of that is
/// dropped; so none of a kind is ever lost altogether.
#[cfg(feature = "sender")]
type Kept = WithOrigin;
/// What is kept of a captured signal: that some of its kind have come.
#[cfg(not(feature = "sender"))]
type Kept = SignalOnly;

/// Where captured signals wait for whichever thread reads them.
#[derive(Debug)]
pub(crate) struct Inbox(SignalsInfo<Kept>);

/// Ends an [`Inbox`] from elsewhere, when told to or dropped.
#[derive(Debug)]
pub(crate) struct Closer(Handle);

impl Inbox {
    /// Captures signals from now on.
    pub(crate) fn open(signals: &[Signal]) -> io::Result<(Self, Closer)> {
        let inbox = Self(SignalsInfo::<Kept>::new(signals.iter().map(|signal| signal.number()))?);
        let closer = Closer(inbox.0.handle());
        Ok((inbox, closer))
    }

    /// Blocks until there are signals or the inbox is closed, and returns the signals with their senders.
    pub(crate) fn wait(&mut self) -> impl Iterator<Item = (Signal, Option<u32>)> + use<> {
        self.0.wait().map(read)
    }

    /// Tells whether nothing will come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(feature = "sender")]
fn read(origin: Origin) -> (Signal, Option<u32>) {
    let pid = origin.process.and_then(|process| u32::try_from(process.pid).ok());
    // A process of another pid namespace shows as 0.
    (Signal::new(origin.signal), pid.filter(|pid| *pid != 0))
}

#[cfg(not(feature = "sender"))]
fn read(number: i32) -> (Signal, Option<u32>) {
    (Signal::new(number), None)
}
