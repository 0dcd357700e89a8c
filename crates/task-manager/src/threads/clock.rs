//! The clock of a manager, which is Tokio's, and the runtime that it belongs to.

use std::time::Duration;

use task_core::scope::catch;

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
        let elapsed = || Instant::now().saturating_duration_since(self.epoch);
        // To enter the runtime once more would cost more than to read the clock.
        let now = match caller {
            CallerRuntime::Own => catch(elapsed),
            CallerRuntime::Other => catch(|| {
                let _entered = self.handle.enter();
                elapsed()
            }),
        };
        // A thread that is being torn down cannot enter a runtime: the system's clock stands in.
        now.unwrap_or_else(|_| self.made.elapsed())
    }

    /// Returns whether a test has paused the runtime's clock. Only then does it differ from the
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
