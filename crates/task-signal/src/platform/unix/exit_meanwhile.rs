//! An exit that needs no thread: by the handler itself.

use std::sync::{Arc, atomic::AtomicBool};

use signal_hook::{SigId, flag, low_level};

use crate::values::Signal;

/// Has signals end the process at once, with 128 + number, while this value lives.
#[derive(Debug)]
pub(crate) struct ExitMeanwhile(Vec<SigId>);

impl ExitMeanwhile {
    pub(crate) fn at(signals: impl Iterator<Item = Signal>) -> Self {
        let register = |signal: Signal| {
            let always = Arc::new(AtomicBool::new(true));
            // The signal is captured, so this is not refused.
            flag::register_conditional_shutdown(signal.number(), signal.exit_code(), always).ok()
        };
        Self(signals.filter_map(register).collect())
    }
}

impl Drop for ExitMeanwhile {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            low_level::unregister(id);
        }
    }
}
