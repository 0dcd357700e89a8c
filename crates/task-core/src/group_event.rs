//! One thing that happened to a group.

use std::time::Duration;

use crate::EventKind;

/// One thing that happened to a group. Returned by [`Group::events`](crate::Group::events) and
/// [`Group::watch`](crate::Group::watch).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupEvent {
    /// When it happened, as time since the manager was created.
    pub at: Duration,
    /// What it is, for code.
    pub kind: EventKind,
    /// Whether it is a failure.
    pub is_failure: bool,
    /// What happened: one line, with what is foreign in it escaped, of at most 1 KiB.
    pub text: String,
}

impl GroupEvent {
    /// Creates an event that is no failure, and of the kind [`EventKind::Other`].
    pub fn new(at: Duration, text: impl Into<String>) -> Self {
        Self { at, kind: EventKind::Other, is_failure: false, text: text.into() }
    }
}
