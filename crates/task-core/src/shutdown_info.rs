//! A shutdown that has begun, at one instant.

use std::time::{Duration, SystemTime};

use crate::TaskReport;

/// A shutdown that has begun, at one instant. Part of a
/// [`GroupSnapshot`](crate::GroupSnapshot).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownInfo {
    /// When it began, by the wall clock. For logs and metrics; no deadline depends on it.
    pub began: SystemTime,
    /// When it began, as time since the manager was created.
    pub began_at: Duration,
    /// How long it has taken so far, or took in all.
    pub took: Duration,
    /// How long it may take in total. `None` is without limit. A nested manager has what the outer
    /// group leaves it. An escalation ends a shutdown sooner and does not change this.
    pub budget: Option<Duration>,
    /// The tasks that have ended since it began, with the one whose end began it, in the order of
    /// their ends: the last 4,096. A task that was abandoned is listed here and, while it is alive,
    /// also among the group's tasks.
    pub ended: Vec<TaskReport>,
    /// How many ended tasks are not listed.
    pub omitted: u64,
}

impl ShutdownInfo {
    /// Creates the description of a shutdown without limit that begins now, in a manager created
    /// now.
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
