//! A hold on one running task.

use std::{borrow::Cow, fmt, sync::Arc};

use task_core::{Outcome, TaskId, TaskInfo, scope::Stage};

use crate::{group::entry::Entry, group::log::Event};

/// Names one task of a group: to stop it alone, or to wait for its end. Dropping it changes nothing.
#[derive(Clone)]
pub struct TaskHandle(Arc<Entry>);

impl TaskHandle {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    /// Returns the task's name.
    pub fn name(&self) -> Cow<'static, str> {
        self.0.name.clone()
    }

    /// Returns what tells this task from others of the same name.
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// Returns how the task ended; `None` while it is alive and not given up.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome()
    }

    /// Returns the task's state as the group's view shows it. Of a task that has ended it is
    /// [`Ended`](task_core::TaskState::Ended), unless that was given up before, and the times go on counting: the time of the end is in the report, if the
    /// task is.
    pub fn info(&self) -> TaskInfo {
        let Self(entry) = self;
        let mut info = entry.info(entry.shared.now());
        info.remaining = entry.shared.remaining(entry).filter(|_| entry.outcome().is_none());
        info
    }

    /// Asks this one task to end, and returns at once. It has no deadline of its own. If the task is critical, its
    /// end stops the group, as any end of it does (unless only failures do): tasks that come and go are ephemeral.
    pub fn stop(&self) {
        let Self(entry) = self;
        let is_first = entry.stage.get() < Stage::Cancelled;
        entry.shared.stop_one(entry);
        if is_first && Event::logs_clean_tasks() {
            Event::StopAsked(entry.subject()).log(&entry.shared.name);
        }
    }

    /// Waits until the task has ended, or was given up, and returns how. A task that waits for its own end thus waits
    /// until it is given up: without a shutdown for ever.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it can be dropped and called again at any time, by any number of callers.
    pub async fn ended(&self) -> Outcome {
        self.0.stage.reached(Stage::Ended).await;
        // Set before the stage is, in every case.
        self.0.outcome().unwrap_or(Outcome::Abandoned)
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("name", &self.0.name)
            .field("id", &self.0.id)
            .field("outcome", &self.0.outcome())
            .finish_non_exhaustive()
    }
}
