//! Signals that the process was started with blocked: a thread that does not block them.
//!
//! A mask is inherited by every thread and over `exec`. A signal that all threads block stays
//! pending, and nothing says so. One thread that does not block it is enough for it to arrive.

use std::{io, thread};

use nix::sys::signal::{SigSet, Signal as Standard};
use task_core::scope::{Sender, channel};

use crate::values::Signal;

/// A thread that unblocks signals while this value lives.
#[derive(Debug)]
pub(crate) struct Unblocked {
    pub(super) signals: Vec<Signal>,
    /// Has the thread begin, and end when dropped.
    thread: Sender<()>,
}

impl Unblocked {
    /// Starts the thread if the calling thread blocks any of `wanted`. Real-time signals are not
    /// among those that are found.
    pub(super) fn start(wanted: &[Signal]) -> io::Result<Option<Self>> {
        let mask = SigSet::thread_get_mask()?;
        let (mut blocked, mut signals) = (SigSet::empty(), Vec::new());
        for signal in wanted {
            if let Ok(standard) = Standard::try_from(signal.number())
                && mask.contains(standard)
            {
                blocked.add(standard);
                signals.push(*signal);
            }
        }
        if signals.is_empty() {
            return Ok(None);
        }
        let (thread, commands) = channel();
        thread::Builder::new().name("signal-unblocked".to_owned()).spawn(move || {
            if commands.recv().is_ok() {
                // It fails for no set that there is.
                let _ = blocked.thread_unblock();
                let _ = commands.recv();
            }
        })?;
        Ok(Some(Self { signals, thread }))
    }

    /// Unblocks the signals, now that they are captured. Those that are pending arrive.
    pub(super) fn begin(&self) {
        let _ = self.thread.send(());
    }
}
