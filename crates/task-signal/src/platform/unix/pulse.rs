//! Signals for an async task.
//!
//! The stream of signal-hook-tokio needs a runtime when it is made, and a trigger is made before there is one. So a
//! flag per signal captures from the beginning and is the truth; the stream only wakes. The flags are registered
//! first, and handlers run in that order: whoever is woken finds the flag set.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_core::Stream as _;
use signal_hook::{SigId, flag, low_level::unregister};

use super::act_by_default;
use crate::Signal;

/// Flags that signals set, until this is dropped. If nobody has listened by then, what has come acts by default.
#[derive(Debug)]
pub(crate) struct Pulse {
    captured: Vec<Captured>,
    is_heard: AtomicBool,
}

#[derive(Debug)]
struct Captured {
    signal: Signal,
    has_come: Arc<AtomicBool>,
    id: SigId,
}

/// Wakes a task when a flag may have been set.
pub(crate) struct Listener(signal_hook_tokio::Signals);

impl Pulse {
    /// Captures signals from now on.
    pub(crate) fn register(signals: &[Signal]) -> io::Result<Self> {
        let captured = Vec::with_capacity(signals.len());
        // If this fails, nothing was claimed yet, and what has come has acted by default by itself.
        let mut pulse = Self { captured, is_heard: AtomicBool::new(true) };
        for &signal in signals {
            let has_come = Arc::new(AtomicBool::new(false));
            let id = flag::register(signal.number(), Arc::clone(&has_come))?;
            pulse.captured.push(Captured { signal, has_come, id });
        }
        pulse.is_heard = AtomicBool::new(false);
        Ok(pulse)
    }

    /// Starts to listen. What has come before is in the flags.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or in one without an I/O driver.
    pub(crate) fn listen(&self) -> io::Result<Listener> {
        self.is_heard.store(true, Ordering::SeqCst);
        let numbers = self.captured.iter().map(|captured| captured.signal.number());
        signal_hook_tokio::Signals::new(numbers).map(Listener)
    }

    /// Returns the signals that have come since the last call, each once, and forgets them.
    pub(crate) fn take(&self) -> Vec<Signal> {
        let come =
            self.captured.iter().filter(|captured| captured.has_come.swap(false, Ordering::SeqCst));
        come.map(|captured| captured.signal).collect()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        for captured in &self.captured {
            unregister(captured.id);
        }
        if !self.is_heard.load(Ordering::SeqCst) {
            self.take().into_iter().for_each(act_by_default);
        }
    }
}

impl Listener {
    /// Resolves when a signal has come since the last time, or may have. Cancel safe.
    pub(crate) async fn next(&mut self) {
        // It ends only when closed, which nobody does.
        poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await;
    }
}
