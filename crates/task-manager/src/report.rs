//! Everything that happened in a shutdown, as a value.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use task_core::{CleanupReport, TaskReport, Totals};

use crate::{report::cause::Cause, report::failure::Failure, report::label::Repeated};

pub(crate) mod cause;
mod display;
pub(crate) mod end;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod label;
pub(crate) mod refused;
#[cfg(feature = "serde")]
mod serialize;

/// Everything that happened: the cause, every failure, and how each task and cleanup ended. Cheap to clone.
///
/// `Display` is a short text with a timeline, for a terminal or a log; with `{:#}` it has the backtraces too, where they
/// were captured. Names that several tasks had are followed by the task's id: `job#3`. `Debug` shows everything. All
/// times are on the manager's clock, as time since the manager was made or as lengths of time.
#[derive(Clone, Debug)]
pub struct Report(Arc<Contents>);

#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) name: String,
    pub(crate) cause: Cause,
    pub(crate) began: SystemTime,
    pub(crate) later_triggers: Vec<Cause>,
    pub(crate) omitted_triggers: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) omitted_failures: u64,
    pub(crate) tasks: Vec<TaskReport>,
    pub(crate) omitted_tasks: u64,
    pub(crate) cleanups: Vec<CleanupReport>,
    pub(crate) omitted_cleanups: u64,
    pub(crate) totals: Totals,
    pub(crate) steps: StepTimes,
    pub(crate) repeated: Repeated,
    pub(crate) is_setup_failed: bool,
}

/// When each step of the shutdown began, as time since the manager was made.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StepTimes {
    /// The trigger, and the beginning of the drain.
    pub triggered: Duration,
    /// The first phase was stopped.
    pub stopping: Duration,
    /// The tasks had ended and cleanups began.
    pub cleaning_up: Duration,
    /// Everything had ended.
    pub ended: Duration,
    /// How long the shutdown was allowed to take; `None` is without limit.
    pub budget: Option<Duration>,
}

impl Report {
    pub(crate) fn new(contents: Contents) -> Self {
        Self(Arc::new(contents))
    }

    /// Returns the name of who failed, told apart from others of the same name.
    pub(crate) fn label(&self, failure: &Failure) -> String {
        self.0.repeated.label(&failure.name, failure.id)
    }

    /// Returns the manager's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns what began the shutdown.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Returns the wall clock's time when the shutdown began, for logs; all other times are on the manager's clock.
    pub fn began(&self) -> SystemTime {
        self.0.began
    }

    /// Returns what would have begun it later on, the first 16.
    pub fn later_triggers(&self) -> &[Cause] {
        &self.0.later_triggers
    }

    /// Returns how many triggers came after those in [`later_triggers`](Self::later_triggers).
    pub fn omitted_triggers(&self) -> u64 {
        self.0.omitted_triggers
    }

    /// Tells whether nothing went wrong.
    pub fn is_clean(&self) -> bool {
        self.0.failures.is_empty()
    }

    /// Returns what went wrong, in order; the first is the root. Kept are the first failure of each task, up to 64,
    /// and the last 64 of all others.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// Returns how many failures are not in [`failures`](Self::failures).
    pub fn omitted_failures(&self) -> u64 {
        self.0.omitted_failures
    }

    /// Returns the tasks that were alive at the trigger, the one whose end it was, and those that came later, in the
    /// order in which they ended; at most the last 4,096.
    pub fn tasks(&self) -> &[TaskReport] {
        &self.0.tasks
    }

    /// Returns how many tasks are not in [`tasks`](Self::tasks), other than those that ended cleanly before.
    pub fn omitted_tasks(&self) -> u64 {
        self.0.omitted_tasks
    }

    /// Returns the cleanups in the order in which they ran; at most 4,096.
    pub fn cleanups(&self) -> &[CleanupReport] {
        &self.0.cleanups
    }

    /// Returns how many cleanups are not in [`cleanups`](Self::cleanups); what went wrong with them is among the
    /// failures all the same.
    pub fn omitted_cleanups(&self) -> u64 {
        self.0.omitted_cleanups
    }

    /// Returns how many tasks there were in the manager's whole life, and how they ended.
    pub fn totals(&self) -> Totals {
        self.0.totals
    }

    /// Returns when each step began.
    pub fn steps(&self) -> StepTimes {
        self.0.steps
    }

    /// Returns the exit code that says how it went: 0 clean, 3 if a failed setup began the shutdown,
    /// otherwise 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            _ if self.is_clean() => 0,
            _ if self.0.is_setup_failed => 3,
            _ => 1,
        }
    }
}
