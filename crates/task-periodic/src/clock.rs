//! The two clocks that schedules use.

use std::time::Duration;
#[cfg(feature = "cron")]
use std::{fmt, sync::Arc, time::SystemTime};

use tokio::time::Instant;

/// A clock, read as the time since its origin.
#[derive(Debug)]
pub(crate) struct Clock(Source);

#[derive(Debug)]
enum Source {
    /// Tokio's clock, which tests can pause, since this value was created. It is monotonic: no
    /// setting of the system's clock changes it.
    Steady(Instant),
    /// The system's clock, since 1970.
    #[cfg(feature = "cron")]
    Wall(WallClock),
}

impl Clock {
    pub(crate) fn steady() -> Self {
        Self(Source::Steady(Instant::now()))
    }

    #[cfg(feature = "cron")]
    pub(crate) fn wall(wall_clock: WallClock) -> Self {
        Self(Source::Wall(wall_clock))
    }

    /// Reads the clock.
    pub(crate) fn now(&self) -> Duration {
        match &self.0 {
            Source::Steady(origin) => origin.elapsed(),
            #[cfg(feature = "cron")]
            Source::Wall(wall_clock) => wall_clock.now(),
        }
    }
}

/// The source of the time of day: the system, or a test.
#[cfg(feature = "cron")]
#[derive(Clone)]
pub(crate) struct WallClock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

#[cfg(feature = "cron")]
impl WallClock {
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> Duration {
        // A clock that reads a time before 1970 was never set; it counts as 1970.
        (self.0)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

#[cfg(feature = "cron")]
impl Default for WallClock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

#[cfg(feature = "cron")]
impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallClock").finish_non_exhaustive()
    }
}
