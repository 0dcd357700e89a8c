//! How often a signal came.

use std::borrow::Cow;

/// How often a signal came, as the tasks that wait for signals counted it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalCount {
    /// The signal's name: `SIGTERM`.
    pub name: Cow<'static, str>,
    /// How often it came.
    pub count: u64,
}

impl SignalCount {
    /// Makes a count.
    pub fn new(name: impl Into<Cow<'static, str>>, count: u64) -> Self {
        Self { name: name.into(), count }
    }
}
