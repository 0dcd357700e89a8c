//! How one cleanup ended.

use std::{borrow::Cow, time::Duration};

use crate::Outcome;

/// How one cleanup ended, as the report lists it. [`CleanupInfo`](crate::CleanupInfo) describes a
/// cleanup at one instant before that.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanupReport {
    /// The cleanup's name, which others may share.
    pub name: Cow<'static, str>,
    /// How it ended. `None` if it was not run; a failure in the report then says why.
    pub outcome: Option<Outcome>,
    /// When it began, or was skipped, as time since the manager was created.
    pub began_at: Duration,
    /// How long it took.
    pub took: Duration,
}

impl CleanupReport {
    /// Creates the report of a cleanup that took no time.
    pub fn new(name: impl Into<Cow<'static, str>>, outcome: Option<Outcome>) -> Self {
        Self { name: name.into(), outcome, began_at: Duration::ZERO, took: Duration::ZERO }
    }
}
