//! What happened to a group, for code.

use std::borrow::Cow;

use crate::{Outcome, Step, TaskId};

/// What happened to a group, for code that waits for it or replays it. A [`GroupEvent`] has it
/// beside its text.
///
/// Names are those of tasks and cleanups, as they are. Later versions may have more kinds.
///
/// [`GroupEvent`]: crate::GroupEvent
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A task was admitted.
    TaskStarted {
        /// Its name.
        name: Cow<'static, str>,
        /// Its number.
        id: TaskId,
    },
    /// A task has set whether it is ready.
    TaskReady {
        /// Its name.
        name: Cow<'static, str>,
        /// Its number.
        id: TaskId,
        /// What it has set.
        is_ready: bool,
    },
    /// A task has ended, or was abandoned. It comes once for each task.
    TaskEnded {
        /// Its name.
        name: Cow<'static, str>,
        /// Its number.
        id: TaskId,
        /// How, as in the report.
        outcome: Outcome,
    },
    /// A cleanup has ended, or was abandoned or left out.
    CleanupEnded {
        /// Its name.
        name: Cow<'static, str>,
        /// How; `None` if it was not run.
        outcome: Option<Outcome>,
    },
    /// A failure was recorded, of a task, a cleanup, the setup or the start.
    Failed {
        /// Whose.
        name: Cow<'static, str>,
        /// The number of the task or cleanup, if it is one that has run.
        id: Option<TaskId>,
    },
    /// The group was ready for the first time.
    GroupReady,
    /// The shutdown has begun.
    Triggered,
    /// The shutdown has come to a step.
    Step(Step),
    /// Tasks or cleanups are aborted at their deadline.
    Aborting,
    /// The report is made. The last event of a group, but for abandoned tasks that end after all.
    Ended {
        /// Whether nothing went wrong.
        is_clean: bool,
    },
    /// Something else, which the text says.
    #[default]
    Other,
}
