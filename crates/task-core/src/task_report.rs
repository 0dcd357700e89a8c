//! How one task ended.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{Outcome, Phase, TaskId};

/// How one task ended that was alive when the shutdown began, whose end began it, or that came later.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// Which admission it was.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its phase.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, as time since the manager was made.
    pub ended_at: Duration,
    /// How long it ran.
    pub ran: Duration,
    /// How long it took from being asked to stop to its end; `None` if it was never asked.
    pub stop_took: Option<Duration>,
    /// What it last said it was doing.
    pub status: Option<Arc<str>>,
}

impl TaskReport {
    /// Makes the report of a work task that ended at once and was never asked to.
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
        }
    }
}
