//! The clock that leases are judged by: Tokio's, and the time in which the machine slept.

use std::time::{Duration, Instant as SystemInstant};

use task_core::FuseInstant;
use tokio::time::Instant;

/// An instant, as time since the clock was made.
pub(crate) type At = Duration;

/// A steady clock. Waits go by Tokio's, which a test can pause; that one stands still while the
/// machine sleeps, and a lease runs out in that time, so the sleep is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    tokio: Instant,
    system: SystemInstant,
    fuse: FuseInstant,
}

impl Clock {
    /// How far apart the two system clocks may have been read.
    const APART: Duration = Duration::from_millis(1);

    pub(crate) fn new() -> Self {
        let mut tries = 0;
        loop {
            let system = SystemInstant::now();
            let fuse = FuseInstant::now();
            tries += 1;
            // A thread that is stopped just between the two readings would hide that much sleep.
            if system.elapsed() < Self::APART || tries == 100 {
                return Self { tokio: Instant::now(), system, fuse };
            }
        }
    }

    /// Returns the current instant. Between the two system clocks only a sleep of the machine makes
    /// a difference: read in this order, the other way than in `new`, all else counts for none.
    pub(crate) fn now(&self) -> At {
        let with_sleep = self.fuse.until(FuseInstant::now());
        let without = self.system.elapsed();
        self.tokio.elapsed() + with_sleep.saturating_sub(without)
    }
}
