//! The one clock, tokio's, and the runtime that it and the tasks belong to.

use std::{sync::Arc, time::Duration};

use crate::{
    group::shared::Shared,
    lifecycle::plan::Tick,
    report::refused::Reason,
    rt::{self, Handle, Instant},
    threads::deadline_thread as watch,
    threads::panics::{catch, install_hook},
};

/// A manager's runtime, and the instant from which it counts.
pub(crate) struct Clock {
    handle: Handle,
    epoch: Instant,
    /// The same instant on the system's clock, which no test pauses, and how long it may have been between the two.
    made: std::time::Instant,
    slack: Duration,
}

impl Clock {
    /// Returns the time on this runtime's clock, from a thread that is known to be within this runtime: to enter it
    /// once more would cost more than to read the clock.
    pub(crate) fn now_within(&self) -> Tick {
        let now = catch(|| Instant::now().saturating_duration_since(self.epoch));
        now.unwrap_or_else(|_| self.made.elapsed())
    }

    /// Returns the time on this runtime's clock, which a test may have paused, from any thread.
    pub(crate) fn now(&self) -> Tick {
        // A thread that is being torn down can enter no runtime any more: then the system's clock has to do.
        let now = catch(|| {
            let _entered = self.handle.enter();
            Instant::now().saturating_duration_since(self.epoch)
        });
        now.unwrap_or_else(|_| self.made.elapsed())
    }

    /// Tells whether a test has paused the runtime's clock: then it differs from the system's, which it otherwise is.
    pub(crate) fn is_paused(&self) -> bool {
        let before = self.made.elapsed();
        let now = self.now();
        let after = self.made.elapsed();
        let tolerance = Duration::from_millis(1);
        now + tolerance + self.slack < before || now > after + tolerance
    }

    /// Returns the instant of a tick; `None` if it is further away than the clock can tell.
    pub(crate) fn instant(&self, tick: Tick) -> Option<Instant> {
        self.epoch.checked_add(tick)
    }

    /// Returns the manager's own runtime.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns the caller's runtime, or the manager's for callers outside of any, and whether the caller is within the
    /// manager's.
    pub(crate) fn current_handle(&self) -> (Handle, Whereabouts) {
        match Handle::try_current() {
            Ok(handle) if handle.id() == self.handle.id() => (handle, Whereabouts::Within),
            Ok(handle) => (handle, Whereabouts::Anywhere),
            Err(_) => (self.handle.clone(), Whereabouts::Anywhere),
        }
    }
}

/// Where the caller is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Within the manager's runtime.
    Within,
    /// In any runtime, or in none.
    Anywhere,
}

impl Shared {
    /// Ties the manager to the runtime of its first use, and starts what its deadlines need.
    pub(crate) fn bind(self: &Arc<Self>) -> Result<&Clock, Reason> {
        if let Some(clock) = self.alarm.clock.get() {
            return Ok(clock);
        }
        let handle = Handle::try_current().map_err(|_| Reason::NoRuntime)?;
        // The only way to learn whether there is a time driver: `sleep` panics where there is none.
        catch(|| drop(rt::sleep(Duration::ZERO))).map_err(|_| Reason::NoRuntime)?;
        if self.settings.locates_panics {
            install_hook();
        }
        watch::start().map_err(|_| Reason::NoThread)?;
        let mut is_new = false;
        let clock = self.alarm.clock.get_or_init(|| {
            is_new = true;
            let made = std::time::Instant::now();
            let epoch = Instant::now();
            Clock { handle, epoch, made, slack: made.elapsed() }
        });
        if is_new {
            self.watch_parent(clock);
            let state = self.lock();
            let now = self.now();
            self.drive(state, now, Vec::new());
        }
        Ok(clock)
    }

    /// Returns the time since the manager was bound to its runtime; zero before.
    pub(crate) fn now(&self) -> Tick {
        self.now_from(Whereabouts::Anywhere)
    }

    /// As [`now`](Self::now), for callers who may know that they are within the manager's runtime.
    pub(crate) fn now_from(&self, whereabouts: Whereabouts) -> Tick {
        let Some(clock) = self.alarm.clock.get() else { return Tick::ZERO };
        match whereabouts {
            Whereabouts::Within => clock.now_within(),
            Whereabouts::Anywhere => clock.now(),
        }
    }
}
