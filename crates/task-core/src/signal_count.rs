//! How often a signal arrived.

use std::borrow::Cow;

/// How often a signal arrived, as recorded by the tasks that wait for signals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalCount {
    /// The signal's name: `SIGTERM`.
    pub name: Cow<'static, str>,
    /// How often it arrived.
    pub count: u64,
}

impl SignalCount {
    /// Creates a count.
    pub fn new(name: impl Into<Cow<'static, str>>, count: u64) -> Self {
        Self { name: name.into(), count }
    }
}
