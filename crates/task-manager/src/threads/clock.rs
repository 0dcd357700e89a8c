//! The clock of a manager, which is Tokio's, and the runtime that it belongs to.

use std::time::Duration;

use crate::lifecycle::Tick;
use crate::rt::{Handle, Instant};

/// A manager's runtime, and the instant from which its ticks count.
pub(crate) struct Clock {
    pub(crate) handle: Handle,
    pub(crate) epoch: Instant,
    /// The same instant on the system's clock, which no test pauses, and the most that may have
    /// passed between the two readings.
    made: std::time::Instant,
    slack: Duration,
}

/// Which runtime the calling thread is known to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerRuntime {
    /// The manager's own.
    Own,
    /// Another one, none, or unknown.
    Other,
}

impl Clock {
    /// Starts a clock on this runtime.
    pub(crate) fn start(handle: Handle) -> Self {
        let made = std::time::Instant::now();
        let epoch = Instant::now();
        Self { handle, epoch, made, slack: made.elapsed() }
    }

    /// Returns the time on this runtime's clock, which a test may have paused.
    pub(crate) fn now(&self, caller: CallerRuntime) -> Tick {
        // To enter the runtime once more would cost more than to read the clock.
        let _entered = match caller {
            CallerRuntime::Own => None,
            // Tokio would panic, and so run the user's panic hook, below the caller's lock.
            CallerRuntime::Other if is_being_torn_down() => return self.made.elapsed(),
            CallerRuntime::Other => Some(self.handle.enter()),
        };
        Instant::now().saturating_duration_since(self.epoch)
    }

    /// Returns whether a test has paused the runtime's clock. From then on it differs from the
    /// system's.
    pub(crate) fn is_paused(&self) -> bool {
        let before = self.made.elapsed();
        let now = self.now(CallerRuntime::Other);
        let after = self.made.elapsed();
        let tolerance = Duration::from_millis(1);
        now + tolerance + self.slack < before || now > after + tolerance
    }

    /// Returns the caller's runtime, or the manager's for a caller outside of any.
    pub(crate) fn current_handle(&self) -> (Handle, CallerRuntime) {
        match Handle::try_current() {
            Ok(handle) if handle.id() == self.handle.id() => (handle, CallerRuntime::Own),
            Ok(handle) => (handle, CallerRuntime::Other),
            Err(_) => (self.handle.clone(), CallerRuntime::Other),
        }
    }
}

/// Returns whether the calling thread has lost its thread-locals, and cannot enter a runtime.
fn is_being_torn_down() -> bool {
    use tokio::runtime::Handle;
    Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed())
}
