//! The two clocks that schedules use, and how steps of the one that can be set are seen.

use std::time::Duration;
#[cfg(feature = "cron")]
use std::{fmt, sync::Arc, time::SystemTime};

use tokio::time::Instant;

/// The least step that is taken for one. Less is the noise of two readings.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// The most that a clock is taken to be slewed, as a part of the time: twice what systems do. It
/// matters to readings that are hours apart, as after a long run.
const SLEW: u32 = 1000;

/// A clock, read as the time since its origin.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Tokio's clock, which tests can pause, since this value was created. It is monotonic: no
    /// setting of the system's clock changes it.
    steady_origin: Instant,
    /// The system's clock, since 1970, if the schedule uses that.
    #[cfg(feature = "cron")]
    wall: Option<WallClock>,
}

/// What both clocks showed at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The time by the schedule's clock.
    pub(crate) time: Duration,
    /// The time by the steady clock.
    pub(crate) steady: Duration,
}

/// A step of the clock between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Back(Duration),
    /// Also where the system was suspended, which a steady clock does not count.
    Forward(Duration),
}

impl Clock {
    pub(crate) fn steady() -> Self {
        Self {
            steady_origin: Instant::now(),
            #[cfg(feature = "cron")]
            wall: None,
        }
    }

    #[cfg(feature = "cron")]
    pub(crate) fn wall(wall_clock: WallClock) -> Self {
        Self { wall: Some(wall_clock), ..Self::steady() }
    }

    /// Reads the clock.
    pub(crate) fn read(&self) -> Reading {
        let steady = self.steady_origin.elapsed();
        #[cfg(feature = "cron")]
        if let Some(wall) = &self.wall {
            return Reading { time: wall.now(), steady };
        }
        Reading { time: steady, steady }
    }
}

impl Reading {
    /// Returns what the clock would show at `later` without a step.
    pub(crate) fn expected_at(self, later: Self) -> Duration {
        self.time.saturating_add(later.steady.saturating_sub(self.steady))
    }

    /// Returns the step of the clock between this reading and a later one.
    pub(crate) fn step_to(self, later: Self) -> Option<Step> {
        let passed = later.steady.saturating_sub(self.steady);
        let least = LEAST_STEP.saturating_add(passed / SLEW);
        let expected = self.expected_at(later);
        let forward = later.time.checked_sub(expected).map(Step::Forward);
        let step = forward.unwrap_or(Step::Back(expected.saturating_sub(later.time)));
        (step.length() > least).then_some(step)
    }
}

impl Step {
    pub(crate) fn length(self) -> Duration {
        match self {
            Self::Back(length) | Self::Forward(length) => length,
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
