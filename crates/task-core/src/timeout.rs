//! A limit in time, or none.

use std::time::Duration;

/// A limit in time, or none. That there is none is a value of its own and not a magic number.
///
/// ```
/// # use std::time::Duration;
/// # use task_core::Timeout;
/// assert_eq!(Timeout::from(Duration::from_secs(25)), Timeout::After(Duration::from_secs(25)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// At most this long.
    After(Duration),
    /// For as long as it takes.
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
