//! Why a group does not become ready.

use std::{error::Error, fmt};

use task_core::{Outcome, Step};

/// Why a group will not become ready.
#[derive(Clone, Debug)]
pub struct NotReadyError(Why);

#[derive(Clone, Debug)]
enum Why {
    TaskEnded(String, Outcome),
    ShuttingDown(Step),
}

impl NotReadyError {
    pub(crate) fn task_ended(name: &str, outcome: Outcome) -> Self {
        Self(Why::TaskEnded(String::from(name), outcome))
    }

    pub(crate) fn shutting_down(step: Step) -> Self {
        Self(Why::ShuttingDown(step))
    }

    /// Returns the name of the gating task that ended and thereby ruled readiness out; `None` if the
    /// group is shutting down for another reason.
    pub fn task(&self) -> Option<&str> {
        match &self.0 {
            Why::TaskEnded(name, _) => Some(name),
            Why::ShuttingDown(_) => None,
        }
    }
}

impl fmt::Display for NotReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::TaskEnded(name, outcome) => {
                write!(f, "task `{name}`, which readiness waits for, {outcome}")
            }
            Why::ShuttingDown(step) => write!(f, "the group is shutting down ({step})"),
        }
    }
}

impl Error for NotReadyError {}
