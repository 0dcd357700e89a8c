//! Binding a manager to the runtime of its first use.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use task_core::scope::{install_hook, probe, reserve_threads};

use super::{EXIT_THREADS, Shared, current};
use crate::lifecycle::Tick;
use crate::report::Reason;
use crate::rt;
use crate::rt::{HAS_OWN_THREADS, Handle};
use crate::threads::{CallerRuntime, Clock, deadline_thread, offload};

impl Shared {
    /// Binds the manager to the caller's runtime, if it has none yet, and starts what its deadlines
    /// need.
    pub(crate) fn bind(self: &Arc<Self>) -> Result<&Clock, Reason> {
        if let Some(clock) = self.alarm.clock.get() {
            return Ok(clock);
        }
        let handle = Handle::try_current().map_err(|_| Reason::NoRuntime)?;
        if self.settings.locates_panics {
            install_hook(current::is_managed);
        }
        // The only way to learn whether there is a time driver: `sleep` panics if there is none.
        probe(|| drop(rt::sleep(Duration::ZERO))).ok_or(Reason::NoRuntime)?;
        self.start_threads().map_err(|_| Reason::NoThread)?;
        let is_new = self.alarm.clock.set(Clock::start(handle)).is_ok();
        let clock = self.alarm.clock.get().ok_or(Reason::NoRuntime)?;
        if is_new {
            // An event before this found no clock, and left its step to this line.
            self.turn().finish();
        }
        Ok(clock)
    }

    /// Starts the threads that the deadlines need, and those of the hard exit: what an exit path
    /// needs exists before it is needed.
    fn start_threads(&self) -> io::Result<()> {
        deadline_thread::start()?;
        if HAS_OWN_THREADS && self.settings.hard_exit.is_some() {
            offload::start()?;
            let has_message = self.settings.termination_log.is_some();
            reserve_threads(EXIT_THREADS + usize::from(has_message))?;
        }
        Ok(())
    }

    /// Returns the time since the manager was bound to its runtime; zero before.
    pub(crate) fn now(&self) -> Tick {
        self.now_from(CallerRuntime::Other)
    }

    /// As [`now`](Self::now), for a caller that may know that it is in the manager's runtime.
    pub(crate) fn now_from(&self, caller: CallerRuntime) -> Tick {
        self.alarm.clock.get().map_or(Tick::ZERO, |clock| clock.now(caller))
    }
}
