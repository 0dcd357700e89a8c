//! The error of the constructors.

use std::time::Duration;

/// An invalid value, rejected by a constructor of this crate.
///
/// Constructors check every value, so that running a task cannot fail because of one. The message
/// names the value and the reason; the predicates distinguish the kinds.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use task_periodic::PollTask;
/// let error = PollTask::new("poll", Duration::ZERO, async |_| Ok(())).unwrap_err();
/// assert!(error.is_interval());
/// assert_eq!(error.to_string(), "period is zero");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PeriodicError(#[from] Kind);

impl PeriodicError {
    /// Returns whether a delay, a period or a wait is invalid: zero where it must not be, too long,
    /// or a back-off that begins longer than its cap.
    pub fn is_interval(&self) -> bool {
        matches!(self.0, Kind::Zero(_) | Kind::TooLong(..))
    }

    /// Returns whether the fraction of a jitter is invalid.
    pub fn is_jitter(&self) -> bool {
        matches!(self.0, Kind::Fraction(_))
    }

    /// Returns whether the cron pattern is invalid: it cannot be parsed, has a step that is larger
    /// than what it steps through, or matches no instant.
    #[cfg(feature = "cron")]
    pub fn is_pattern(&self) -> bool {
        matches!(self.0, Kind::Pattern { .. } | Kind::NeverMatches(_))
    }

    /// Returns whether the time zone is unknown to every database, or the system does not state its
    /// own.
    #[cfg(feature = "cron")]
    pub fn is_time_zone(&self) -> bool {
        matches!(self.0, Kind::TimeZone { .. } | Kind::SystemZone(_))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{0} is zero")]
    Zero(&'static str),
    #[error("{0} of {1:?} is longer than 100 years")]
    TooLong(&'static str, Duration),
    #[error("jitter of {0} is not a fraction from 0 to 1")]
    Fraction(f64),
    #[cfg(feature = "cron")]
    #[error("cron pattern `{pattern}` {fault}")]
    Pattern { pattern: String, fault: CronFault, source: Option<croner::errors::CronError> },
    #[cfg(feature = "cron")]
    #[error("cron pattern `{0}` matches no instant")]
    NeverMatches(String),
    #[cfg(feature = "cron")]
    #[error("failed to find the time zone `{name}`")]
    TimeZone { name: String, source: jiff::Error },
    #[cfg(feature = "cron")]
    #[error("failed to find the system's time zone")]
    SystemZone(#[source] jiff::Error),
}

/// What is wrong with a cron pattern.
#[cfg(feature = "cron")]
#[derive(Debug, thiserror::Error)]
pub(crate) enum CronFault {
    #[error("is none of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`")]
    Nickname,
    #[error("has {0} fields, and not 5, or 6 with the seconds in front")]
    Fields(usize),
    #[error("has an invalid {0}: {1} is not within {2} to {3}")]
    Outside(&'static str, u32, u32, u32),
    #[error("has an invalid {0}: `{1}` goes backwards")]
    Backwards(&'static str, String),
    #[error("has an invalid {0}: a step of zero in `{1}`")]
    NoStep(&'static str, String),
    #[error("has an invalid {0}: a step of {2} in `{1}`, which has {3} values")]
    Step(&'static str, String, u32, u32),
    #[error("has an invalid {0}: `{1}` cannot be parsed")]
    Unreadable(&'static str, String),
    #[error("cannot be parsed")]
    Other,
}

/// The longest interval. Longer ones are mistakes, and shorter ones can be added to any clock
/// reading without overflow.
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
