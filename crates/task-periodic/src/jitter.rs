//! A random part of each wait.

use std::time::Duration;

use crate::{PeriodicError, error::Kind};

/// A random part of each wait, so that many processes do not all run at once.
///
/// It only ever makes a run later than its schedule says, by an evenly distributed time that is drawn anew each time.
/// On a clock it does not add up and never reaches beyond the next tick; in a loop each wait is longer by its own.
/// [`FirstRun::Immediately`] has none.
///
/// [`FirstRun::Immediately`]: crate::FirstRun::Immediately
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

    /// Up to a fraction of the delay, the period, or the time between this tick of a cron schedule and the next.
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

    /// Up to a fixed time.
    pub const fn up_to(longest: Duration) -> Self {
        Self(Extent::UpTo(longest))
    }

    /// Returns how much it can be for an interval of `gap`.
    pub(crate) fn window(self, gap: Duration, is_on_a_clock: bool) -> Duration {
        match self.0 {
            // Not 1.0 times the gap in floating point, which may round up and overflow.
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
