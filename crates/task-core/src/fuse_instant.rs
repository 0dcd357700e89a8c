//! The clock of fuses.

use std::{ops::Add, time::Duration};

/// The longest time between two looks at a clock that goes on while the machine sleeps, which the
/// waits of a thread do not.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// An instant on a steady clock, which counts the time in which the machine sleeps where that is
/// possible: a lease runs out in that time.
///
/// | system | a sleep of the machine |
/// |---|---|
/// | Linux, Android with feature `suspend` | counts (`CLOCK_BOOTTIME`) |
/// | Windows | counts, as in [`std::time::Instant`] |
/// | others, and without the feature | does not count |
///
/// The time in which the process is stopped (`SIGSTOP`) counts everywhere. A virtual machine that
/// is paused may stop every clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::FuseInstant;
///
/// let sent = FuseInstant::now(); // before the request that renews the lease
/// let end = sent + Duration::from_secs(15);
/// assert!(FuseInstant::now().until(end) <= Duration::from_secs(15));
/// assert_eq!(end.until(sent), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FuseInstant(Duration);

impl FuseInstant {
    /// Whether the clock goes on while the machine sleeps, and the waits of a thread do not.
    const OUTRUNS_WAITS: bool =
        cfg!(all(feature = "suspend", any(target_os = "linux", target_os = "android")));

    /// Returns the current instant.
    pub fn now() -> Self {
        Self(clock::now())
    }

    /// Returns the time from this instant until `later`; zero if that has passed at this instant.
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }

    /// Returns how long a thread may wait now before it looks at this instant again: until then,
    /// or at most 250 ms where the machine's sleep would otherwise be missed. For managers.
    pub fn wait(self) -> Duration {
        let left = Self::now().until(self);
        if Self::OUTRUNS_WAITS { left.min(LOOK_INTERVAL) } else { left }
    }
}

impl Add<Duration> for FuseInstant {
    type Output = Self;

    /// Saturates: a fuse of a hundred years is one that never burns.
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

#[cfg(all(feature = "suspend", any(target_os = "linux", target_os = "android")))]
mod clock {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn now() -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
    }
}

#[cfg(not(all(feature = "suspend", any(target_os = "linux", target_os = "android"))))]
mod clock {
    use std::{
        sync::LazyLock,
        time::{Duration, Instant},
    };

    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> Duration {
        let epoch = *EPOCH;
        epoch.elapsed()
    }
}
