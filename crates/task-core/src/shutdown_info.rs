//! A shutdown that has begun, at one instant.

use std::time::{Duration, SystemTime};

use crate::TaskReport;

/// A shutdown that has begun, at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownInfo {
    /// The wall clock's time when it began: for logs and metrics. It decides nothing.
    pub began: SystemTime,
    /// When it began, as time since the manager was made.
    pub began_at: Duration,
    /// How long it has taken so far, or took in all.
    pub took: Duration,
    /// How long it may take in all; `None` is without limit. A nested manager has what the group around it leaves it. A
    /// hurry ends a shutdown sooner and leaves this as it is.
    pub budget: Option<Duration>,
    /// The tasks that have ended since it began, the one that began it included, in the order in which they ended; of
    /// more than 4,096 the last ones. One that was abandoned is here and, while it lives, among the group's tasks too.
    pub ended: Vec<TaskReport>,
    /// How many more have ended since it began.
    pub omitted: u64,
}

impl ShutdownInfo {
    /// Makes the description of a shutdown that begins now and has no limit, for a manager made now.
    pub fn new(began: SystemTime) -> Self {
        Self {
            began,
            began_at: Duration::ZERO,
            took: Duration::ZERO,
            budget: None,
            ended: Vec::new(),
            omitted: 0,
        }
    }
}
