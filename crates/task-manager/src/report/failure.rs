//! One thing that went wrong.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    error::Error,
    fmt,
    sync::Arc,
    time::Duration,
};

use task_core::TaskId;

use crate::{report::label::Repeated, threads::panics::Panic, threads::panics::display};

/// One thing that went wrong, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Who failed: the task, the cleanup, the setup or the start.
    pub origin: FailureOrigin,
    /// The name; behind a nested manager, the path to it: `ingest/consumer`. In a path, names that several tasks had are
    /// followed by the id: `ingest/consumer#2`.
    pub name: String,
    /// Which admission it was, if it was a task of this very group or a cleanup that had its turn: tells those of one
    /// name apart.
    pub id: Option<TaskId>,
    /// What happened.
    pub kind: FailureKind,
    /// When, as time since the manager was made.
    pub at: Duration,
}

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureOrigin {
    /// A task.
    Task,
    /// A cleanup.
    Cleanup,
    /// The code that set the service up.
    Setup,
    /// The start: the group was not ready in time.
    Start,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// It returned this error.
    Error(Arc<anyhow::Error>),
    /// It recorded this error with [`Context::record_failure`](task_core::Context::record_failure), and went on.
    Survived(Arc<anyhow::Error>),
    /// It panicked.
    Panic(Panic),
    /// It did not end by its deadline, and its future was dropped.
    Aborted,
    /// It did not end by its deadline, nor did dropping it succeed in time. It may still be running.
    Abandoned {
        /// What it last said it was doing.
        status: Option<Arc<str>>,
    },
    /// Its runtime was shut down under it.
    RuntimeGone,
    /// It was a cleanup that could not be run.
    NotRun {
        /// Why not.
        reason: &'static str,
    },
    /// The group was not ready in time.
    NotReady {
        /// What was waited for.
        blockers: Vec<String>,
    },
}

impl Failure {
    /// Returns the error, where there is one.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => {
                let error: &(dyn Error + 'static) = error.as_ref().as_ref();
                Some(error)
            }
            _ => None,
        }
    }

    /// Returns the backtrace of the panic or the error, where one was captured: `RUST_BACKTRACE` and
    /// `RUST_LIB_BACKTRACE` ask for them.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        let backtrace = match &self.kind {
            FailureKind::Panic(panic) => panic.backtrace.as_deref(),
            FailureKind::Error(error) | FailureKind::Survived(error) => Some(error.backtrace()),
            _ => None,
        };
        backtrace.filter(|backtrace| backtrace.status() == BacktraceStatus::Captured)
    }

    /// Writes what happened without the error itself, which is the [`error`](Self::error)'s own to say.
    pub(crate) fn headline(&self, repeated: &Repeated) -> String {
        let Self { origin, name, kind, id, .. } = self;
        let name = repeated.label(name, *id);
        let subject = match origin {
            FailureOrigin::Task => format!("task `{name}`"),
            FailureOrigin::Cleanup => format!("cleanup `{name}`"),
            FailureOrigin::Setup => String::from("the setup"),
            FailureOrigin::Start => String::from("the start"),
        };
        match kind {
            FailureKind::Error(_) => format!("{subject} failed"),
            FailureKind::Survived(_) => format!("{subject} failed and went on"),
            FailureKind::Panic(panic) => format!("{subject} {panic}"),
            FailureKind::Aborted => {
                format!("{subject} did not end by its deadline and was aborted")
            }
            FailureKind::Abandoned { status: None } => {
                format!("{subject} did not end by its deadline and was abandoned")
            }
            FailureKind::Abandoned { status: Some(status) } => {
                format!("{subject} did not end by its deadline and was abandoned ({status})")
            }
            FailureKind::RuntimeGone => format!("{subject} lost its runtime"),
            FailureKind::NotRun { reason } => format!("{subject} was not run: {reason}"),
            FailureKind::NotReady { blockers } => {
                format!("{subject} timed out: {}", blockers.join(", "))
            }
        }
    }
}

impl Failure {
    /// Writes what happened, with the error and its causes.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        let headline = self.headline(repeated);
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => {
                format!("{headline}: {}", display(error.as_ref()))
            }
            _ => headline,
        }
    }
}

/// One line; with `{:#}`, the backtrace below it, where one was captured.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&Repeated::default()))?;
        match self.backtrace() {
            Some(backtrace) if f.alternate() => write!(f, "\n{backtrace}"),
            _ => Ok(()),
        }
    }
}
