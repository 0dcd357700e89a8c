//! The random part of each wait.

use std::time::Duration;

use crate::{PeriodicError, error::Kind};

/// The random part of each wait, which keeps many processes from running at the same instant.
///
/// Jitter only makes a run later than its schedule, by a uniformly distributed time that is drawn
/// anew for each run. On a clock it does not accumulate and never reaches beyond the next tick; in
/// a loop it lengthens each wait. [`FirstRun::Immediately`] has none.
///
/// [`FirstRun::Immediately`]: crate::FirstRun::Immediately
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{Jitter, PollTask};
/// # async fn refresh() -> anyhow::Result<()> { Ok(()) }
/// // Each run begins up to 3 s after its tick.
/// let refresh = PollTask::new("refresh", Duration::from_secs(30), async |_| refresh().await)?
///     .jitter(Jitter::fraction(0.1)?);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(Extent);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    Fraction(f64),
    UpTo(Duration),
}

impl Jitter {
    /// No jitter: the default.
    pub const NONE: Self = Self(Extent::UpTo(Duration::ZERO));

    /// Creates jitter of up to a fraction of the delay, the period, or the time between one tick of
    /// a cron schedule and the next.
    ///
    /// # Errors
    ///
    /// Fails unless `fraction` is from 0 to 1.
    pub fn fraction(fraction: f64) -> Result<Self, PeriodicError> {
        // Written so that NaN fails.
        if (0.0..=1.0).contains(&fraction) {
            Ok(Self(Extent::Fraction(fraction)))
        } else {
            Err(Kind::Fraction(fraction).into())
        }
    }

    /// Creates jitter of up to a fixed time.
    pub const fn up_to(longest: Duration) -> Self {
        Self(Extent::UpTo(longest))
    }

    /// Returns the longest jitter for an interval of `gap`.
    pub(crate) fn window(self, gap: Duration, is_on_a_clock: bool) -> Duration {
        match self.0 {
            // Not the gap times 1.0 in floating point, which may round up and overflow.
            Extent::Fraction(fraction) if fraction >= 1.0 => gap,
            Extent::Fraction(fraction) => gap.mul_f64(fraction),
            Extent::UpTo(longest) if is_on_a_clock => longest.min(gap),
            Extent::UpTo(longest) => longest,
        }
    }
}

impl Default for Jitter {
    /// Returns [`Jitter::NONE`].
    fn default() -> Self {
        Self::NONE
    }
}

/// Draws a time from zero to `window`.
pub(crate) fn draw(random: &mut fastrand::Rng, window: Duration) -> Duration {
    let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 { Duration::ZERO } else { Duration::from_nanos(random.u64(0..=nanos)) }
}
