//! The error of the constructors.

use std::time::Duration;

/// A value that no periodic task can be made of: what the constructors of this crate return.
///
/// Nothing has run by then. Which value it is, and why it is refused, is in its text; the predicates tell the kinds
/// apart.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PeriodicError(#[from] Kind);

impl PeriodicError {
    /// Tells whether a delay, a period or a wait is the fault: zero where it must not be, or too long.
    pub fn is_interval(&self) -> bool {
        matches!(self.0, Kind::Zero(_) | Kind::TooLong(..) | Kind::Inverted { .. })
    }

    /// Tells whether the fraction of a jitter is the fault.
    pub fn is_jitter(&self) -> bool {
        matches!(self.0, Kind::Fraction(_))
    }

    /// Tells whether the cron pattern is the fault: it cannot be read, or there is no instant that it matches.
    #[cfg(feature = "cron")]
    pub fn is_pattern(&self) -> bool {
        matches!(self.0, Kind::Pattern { .. } | Kind::NeverMatches(_))
    }

    /// Tells whether the time zone is the fault: no database knows it.
    #[cfg(feature = "cron")]
    pub fn is_time_zone(&self) -> bool {
        matches!(self.0, Kind::TimeZone { .. })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{0} is zero")]
    Zero(&'static str),
    #[error("{0} of {1:?} is longer than 100 years")]
    TooLong(&'static str, Duration),
    #[error("first back-off of {first:?} is longer than the longest, {longest:?}")]
    Inverted { first: Duration, longest: Duration },
    #[error("jitter of {0} is not a fraction from 0 to 1")]
    Fraction(f64),
    #[cfg(feature = "cron")]
    #[error("failed to read the cron pattern `{pattern}`")]
    Pattern { pattern: String, source: croner::errors::CronError },
    #[cfg(feature = "cron")]
    #[error("cron pattern `{0}` matches no instant")]
    NeverMatches(String),
    #[cfg(feature = "cron")]
    #[error("failed to find the time zone `{name}`")]
    TimeZone { name: String, source: jiff::Error },
}

/// The longest interval: nobody means more, and what is below can be added to any clock without overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Checks an interval that may be zero.
pub(crate) fn not_too_long(
    what: &'static str,
    interval: Duration,
) -> Result<Duration, PeriodicError> {
    if interval > LONGEST { Err(Kind::TooLong(what, interval).into()) } else { Ok(interval) }
}

/// Checks an interval that must not be zero.
pub(crate) fn not_zero(what: &'static str, interval: Duration) -> Result<Duration, PeriodicError> {
    if interval.is_zero() {
        return Err(Kind::Zero(what).into());
    }
    not_too_long(what, interval)
}
