//! Signals for a thread that blocks on them.

use std::io;

use signal_hook::iterator::{
    SignalsInfo,
    backend::Handle,
    exfiltrator::{WithOrigin, origin::Origin},
};

use crate::Signal;

/// Where captured signals wait for whichever thread reads them.
///
/// Up to five of a kind wait with their senders; what comes on top of that is dropped, so none of a kind is ever lost
/// altogether.
#[derive(Debug)]
pub(crate) struct Inbox(SignalsInfo<WithOrigin>);

/// Ends an [`Inbox`] from elsewhere, when told to or dropped.
#[derive(Debug)]
pub(crate) struct Closer(Handle);

impl Inbox {
    /// Captures signals from now on.
    pub(crate) fn open(signals: &[Signal]) -> io::Result<(Self, Closer)> {
        let inbox = Self(SignalsInfo::new(signals.iter().map(|signal| signal.number()))?);
        let closer = Closer(inbox.0.handle());
        Ok((inbox, closer))
    }

    /// Blocks until there are signals or the inbox is closed, and returns the signals with their senders.
    pub(crate) fn wait(&mut self) -> impl Iterator<Item = (Signal, Option<u32>)> + use<> {
        self.0.wait().map(|origin| (Signal::new(origin.signal), sender(&origin)))
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

/// A process of another pid namespace shows as 0.
fn sender(origin: &Origin) -> Option<u32> {
    let pid = origin.process.as_ref()?.pid;
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}
