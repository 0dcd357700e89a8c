//! How one task ended.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{Outcome, Phase, TaskId};

/// How one task ended, as the report lists it. [`TaskInfo`](crate::TaskInfo) describes a task at
/// one instant before that.
///
/// Listed are the tasks that were alive when the shutdown began, the one whose end began it, and
/// those that were admitted later.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// The number of its admission.
    pub id: TaskId,
    /// Its name, which others may share.
    pub name: Cow<'static, str>,
    /// Its phase.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, as time since the manager was created.
    pub ended_at: Duration,
    /// How long it ran.
    pub ran: Duration,
    /// How long it took to end after it was asked to. `None` if it was never asked.
    pub stop_took: Option<Duration>,
    /// Its last status. For a task that was stuck, this says where.
    pub status: Option<Arc<str>>,
    /// How often it was run again, as recorded by
    /// [`Context::record_restart`](crate::Context::record_restart).
    pub restarts: u32,
    /// How many failures it survived, those that are in the report and those that were only
    /// counted.
    pub failures: u32,
}

impl TaskReport {
    /// Creates the report of a task of [`Phase::WORK`] that ended at once, and was never asked to
    /// end.
    pub fn new(id: TaskId, name: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        Self {
            id,
            name: name.into(),
            phase: Phase::WORK,
            outcome,
            ended_at: Duration::ZERO,
            ran: Duration::ZERO,
            stop_took: None,
            status: None,
            restarts: 0,
            failures: 0,
        }
    }
}
