//! The least wait after failed runs.

use std::time::Duration;

use crate::{
    PeriodicError,
    error::{Kind, not_zero},
    jitter,
};

/// The least wait after failed runs: exponential, capped, half of it random.
///
/// After the n-th failure in a row the wait is `first · 2ⁿ⁻¹`, but not more than `longest`; the
/// second half of that is random. One successful run resets it.
///
/// The back-off never makes a run earlier than its schedule. A loop waits for the longer of delay
/// and back-off. On a clock, [`MissedTicks`](crate::MissedTicks) applies to the ticks within the
/// back-off: `Skip` skips them, `Delay` makes up for them with one run after it, `Burst` with all.
///
/// It cannot be turned off, so no failing task can spin; choose a short one instead.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::{Backoff, LoopTask};
/// # async fn consume() -> anyhow::Result<()> { Ok(()) }
/// let consume = LoopTask::new("consume", Duration::ZERO, async |_| consume().await)?
///     .backoff(Backoff::new(Duration::from_millis(100), Duration::from_secs(10))?);
/// # Ok::<_, task_periodic::PeriodicError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Creates a back-off from its first and its longest wait.
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

    /// Draws the wait after `in_a_row` failed runs.
    pub(crate) fn draw(self, in_a_row: u32, random: &mut fastrand::Rng) -> Duration {
        // In two steps: one `u32` factor does not reach from a nanosecond to a century.
        let doublings = in_a_row.saturating_sub(1);
        let (first, second) = (doublings.min(31), doublings.saturating_sub(31).min(31));
        let whole = self.first.saturating_mul(1 << first).saturating_mul(1 << second);
        let whole = whole.min(self.longest);
        let half = whole / 2;
        whole.saturating_sub(jitter::draw(random, half))
    }
}

impl Default for Backoff {
    /// Returns a back-off from one second to one minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}
