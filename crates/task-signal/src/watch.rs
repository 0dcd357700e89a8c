//! Reading signals and climbing their ladders.

use std::time::{Duration, Instant};

use crate::{
    Received, Signal,
    ladder::Ladder,
    platform::{Inbox, act_by_default},
};

/// The inbox and the ladders: what the one thread holds that keeps the watch.
pub(crate) struct Watch {
    pub(crate) inbox: Inbox,
    pub(crate) ladders: Vec<Ladder>,
    pub(crate) repeat_window: Duration,
}

/// A signal that has come.
pub(crate) enum Come {
    /// It counts.
    Counted(Received),
    /// It is a part of one that has counted.
    Repeat(Signal),
}

impl Watch {
    /// Blocks until signals come. `None`: the signals were let go, and nothing will come any more.
    pub(crate) fn next(&mut self) -> Option<Vec<Come>> {
        let signals = self.inbox.wait();
        if self.inbox.is_closed() {
            // Those that came before that are nobody's now; so are those of the time between the wait and the close.
            signals.chain(self.inbox.wait()).for_each(|(signal, _)| act_by_default(signal));
            return None;
        }
        Some(signals.filter_map(|(signal, sender)| self.climb(signal, sender)).collect())
    }

    fn climb(&mut self, signal: Signal, sender: Option<u32>) -> Option<Come> {
        let ladder = self.ladders.iter_mut().find(|ladder| ladder.signal == signal)?;
        Some(match ladder.climb(Instant::now(), self.repeat_window) {
            Some((count, reaction)) => Come::Counted(Received { signal, sender, count, reaction }),
            None => Come::Repeat(signal),
        })
    }
}
