//! A limit in time, or none.

use std::time::Duration;

/// A limit in time, or none. "No limit" is a value of its own, not a magic duration.
///
/// Setters take `impl Into<Timeout>`, so that a plain [`Duration`] is accepted as well.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::Timeout;
///
/// fn limit(timeout: impl Into<Timeout>) -> Option<Duration> {
///     timeout.into().limit()
/// }
/// assert_eq!(limit(Duration::from_secs(25)), Some(Duration::from_secs(25)));
/// assert_eq!(limit(Timeout::Never), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// At most this long.
    After(Duration),
    /// Without limit.
    Never,
}

impl Timeout {
    /// Returns the limit, or `None` if there is none.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::After(limit) => Some(limit),
            Self::Never => None,
        }
    }
}

impl From<Duration> for Timeout {
    fn from(limit: Duration) -> Self {
        Self::After(limit)
    }
}
