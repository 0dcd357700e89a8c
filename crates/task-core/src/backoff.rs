//! How long to wait after failures.

use std::{error::Error, fmt, time::Duration};

/// How long to wait after failures: exponential, capped, half of it random.
///
/// After the n-th failure in a row the wait is `first · 2ⁿ⁻¹`, but not more than `longest`; the
/// second half of that is random, so that many tasks that failed together do not come back
/// together. The first half is not, so that no wait is close to zero.
///
/// A back-off cannot be turned off, so no failing task can spin; choose a short one instead.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::Backoff;
///
/// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60))?;
/// assert_eq!(backoff, Backoff::default());
/// assert_eq!(backoff.wait(1, 0), Duration::from_secs(1));
/// assert_eq!(backoff.wait(4, 0), Duration::from_secs(8));
/// assert_eq!(backoff.wait(4, u64::MAX), Duration::from_secs(4)); // the most that chance takes off
/// assert_eq!(backoff.wait(1000, 0), Duration::from_secs(60));
/// # Ok::<_, task_core::BackoffError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The longest wait that can be set. Longer ones are mistakes, and shorter ones can be added to
    /// any clock reading without overflow.
    const LIMIT: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

    /// Creates a back-off from its first and its longest wait.
    ///
    /// # Errors
    ///
    /// Fails if `first` is zero or longer than `longest`, or if `longest` is more than 100 years.
    pub fn new(first: Duration, longest: Duration) -> Result<Self, BackoffError> {
        if first.is_zero() {
            return Err(BackoffError(Kind::Zero));
        }
        if longest > Self::LIMIT {
            return Err(BackoffError(Kind::TooLong(longest)));
        }
        if first > longest {
            return Err(BackoffError(Kind::Inverted { first, longest }));
        }
        Ok(Self { first, longest })
    }

    /// Returns the wait after the first failure, of which chance takes off up to half.
    pub fn first(self) -> Duration {
        self.first
    }

    /// Returns the longest wait.
    pub fn longest(self) -> Duration {
        self.longest
    }

    /// Returns the wait after `in_a_row` failures in a row; 0 counts as 1. `random` is a number
    /// that the caller draws from all of `u64`: the greater it is, the more is taken off.
    #[must_use]
    pub fn wait(self, in_a_row: u32, random: u64) -> Duration {
        // In two steps: one `u32` factor does not reach from a nanosecond to a century.
        let doublings = in_a_row.saturating_sub(1);
        let (first, second) = (doublings.min(31), doublings.saturating_sub(31).min(31));
        let whole = self.first.saturating_mul(1 << first).saturating_mul(1 << second);
        let whole = whole.min(self.longest);
        // A century has less than 2^63 nanoseconds.
        let half = u64::try_from(whole.as_nanos() / 2).unwrap_or(u64::MAX);
        let off = ((u128::from(half) + 1) * u128::from(random)) >> 64;
        whole.saturating_sub(Duration::from_nanos(u64::try_from(off).unwrap_or(half)))
    }
}

impl Default for Backoff {
    /// Returns a back-off from one second to one minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

/// An invalid [`Backoff`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackoffError(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Zero,
    TooLong(Duration),
    Inverted { first: Duration, longest: Duration },
}

impl fmt::Display for BackoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Zero => f.write_str("first back-off is zero"),
            Kind::TooLong(longest) => {
                write!(f, "longest back-off of {longest:?} is longer than 100 years")
            }
            Kind::Inverted { first, longest } => {
                write!(f, "first back-off of {first:?} is longer than the longest, {longest:?}")
            }
        }
    }
}

impl Error for BackoffError {}
