//! What follows the report, and what a `wait` waits for before it returns: the last beat of each
//! pulse.
//!
//! It runs on plain threads that were reserved before, so a blocked runtime does not hold it up,
//! and takes a limited time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use task_core::scope::{Wakers, run_aside};

use super::{Shared, State};
use crate::threads::PulseTimer;

/// How long the last beat of all pulses may take.
const LAST_BEAT_TIMEOUT: Duration = Duration::from_millis(250);
/// How many threads the end of a group takes for this.
pub(crate) const CLOSING_THREADS: usize = 1;

/// What is left to do when the report is made.
pub(crate) struct Closing {
    pulses: Vec<Arc<PulseTimer>>,
}

impl Closing {
    /// Takes what is to be done off the state. `None` if that is nothing.
    pub(crate) fn take(state: &mut State) -> Option<Self> {
        let pulses: Vec<_> = state.pulses.iter().filter_map(std::sync::Weak::upgrade).collect();
        (!pulses.is_empty()).then_some(Self { pulses })
    }

    /// Does it on another thread.
    pub(crate) fn start(self, group: &Arc<Shared>) {
        let closed = Closed(Arc::clone(group));
        // Without a thread, the job is dropped, and with it `closed`.
        drop(run_aside(move || {
            self.run();
            drop(closed);
        }));
    }

    fn run(self) {
        let until = Instant::now() + LAST_BEAT_TIMEOUT;
        let beats: Vec<_> = self.pulses.iter().map(PulseTimer::ask).collect();
        for beat in beats {
            // Nothing is sent: the sender is dropped after the beat.
            let _ = beat.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Lets every `wait` return when it is dropped.
struct Closed(Arc<Shared>);

impl Drop for Closed {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        wakers.append(self.0.closed.raise_quietly(1));
        wakers.wake();
    }
}
