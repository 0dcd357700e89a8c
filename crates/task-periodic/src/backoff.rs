//! How long a task waits after failed runs.

use std::time::Duration;

use crate::{
    PeriodicError,
    error::{Kind, not_zero},
    jitter,
};

/// How long a task waits, at least, after failed runs: exponential, with a cap.
///
/// After the n-th failure in a row the wait is `first · 2ⁿ⁻¹`, but not more than `longest`; of that, the second half
/// is random. One good run starts it over. It never makes a run earlier than its schedule: a loop waits for the longer
/// of delay and back-off, and on a clock the ticks that fall into the back-off are passed over, or made up for after it
/// as [`MissedTicks`](crate::MissedTicks) says: `Delay` by one run, `Burst` by all.
///
/// There is no way to turn it off, so no failing task can spin; make it short instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Makes one of its first and its longest wait.
    ///
    /// # Errors
    ///
    /// Fails if `first` is zero or longer than `longest`, or if `longest` is more than 100 years.
    pub fn new(first: Duration, longest: Duration) -> Result<Self, PeriodicError> {
        not_zero("first back-off", first)?;
        not_zero("longest back-off", longest)?;
        if first > longest {
            return Err(Kind::Inverted { first, longest }.into());
        }
        Ok(Self { first, longest })
    }

    /// Draws the wait after so many failures in a row.
    pub(crate) fn draw(self, in_a_row: u32, random: &mut fastrand::Rng) -> Duration {
        // In two steps: one factor does not lead from a nanosecond to a century.
        let doublings = in_a_row.saturating_sub(1);
        let (some, others) = (doublings.min(31), doublings.saturating_sub(31).min(31));
        let whole = self.first.saturating_mul(1 << some).saturating_mul(1 << others);
        let whole = whole.min(self.longest);
        let half = whole / 2;
        whole.saturating_sub(jitter::draw(random, half))
    }
}

impl Default for Backoff {
    /// From one second to one minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}
