//! One thing that went wrong.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use task_core::scope::guarded_text;
use task_core::{Panic, TaskId};

use super::Repeated;

/// One thing that went wrong: where, what, and when.
///
/// `Display` is one line, with the causes of the error: ``task `consumer` failed: reading orders:
/// no broker``. With `{:#}`, the backtrace follows, where one was captured.
///
/// # Examples
///
/// ```
/// use task_manager::{FailureKind, FailureOrigin, Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let manager = Manager::new();
/// manager.run(task_fn("parser", async |_| panic!("unexpected token"))).unwrap();
/// let error = manager.wait().await.unwrap_err();
/// let failure = error.root().unwrap();
/// assert_eq!((failure.origin, failure.name.as_str()), (FailureOrigin::Task, "parser"));
/// match &failure.kind {
///     FailureKind::Panic(panic) => assert_eq!(panic.message, "unexpected token"),
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of thing failed.
    pub origin: FailureOrigin,
    /// The name of the task or cleanup, or of the manager for the setup and the start. In a nested
    /// group it is the path: `ingest/consumer`, and in a path, names that several tasks had are
    /// followed by the id: `ingest/consumer#2`.
    pub name: String,
    /// The number that distinguishes tasks of one name; `None` for a failure of a nested group, of
    /// the setup or the start, and of a cleanup that was not begun.
    pub id: Option<TaskId>,
    /// What happened.
    pub kind: FailureKind,
    /// When it happened, as time since the manager was made. For a failure of a nested group, when
    /// it reached this group.
    pub at: Duration,
}

/// What kind of thing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureOrigin {
    /// A task.
    Task,
    /// A cleanup.
    Cleanup,
    /// The code that set the service up: see
    /// [`Manager::setup_failed`](crate::Manager::setup_failed).
    Setup,
    /// The start: the group was not ready within its
    /// [`start_timeout`](crate::ManagerBuilder::start_timeout).
    Start,
}

/// What went wrong.
///
/// Later versions may have more kinds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// The task, cleanup or setup returned this error.
    Error(Arc<anyhow::Error>),
    /// The task recorded this error with
    /// [`Context::record_failure`](task_core::Context::record_failure), and went on.
    Survived(Arc<anyhow::Error>),
    /// It panicked: when polled, when its future was dropped, or on a thread that belongs to it.
    Panic(Panic),
    /// It did not end by its deadline, and its future was dropped at the await where it stood.
    Aborted,
    /// It did not end by its deadline, and its future could not be dropped in time. It may still be
    /// running.
    Abandoned {
        /// The last status that the task set.
        status: Option<Arc<str>>,
    },
    /// Its runtime was shut down before it had ended.
    RuntimeGone,
    /// The cleanup was not run.
    NotRun {
        /// Why not.
        reason: &'static str,
    },
    /// The group was not ready in time.
    NotReady {
        /// What readiness was waiting for, as text; at most 20 tasks.
        blockers: Vec<String>,
    },
}

impl Failure {
    /// Returns the error of [`FailureKind::Error`] and [`FailureKind::Survived`], and `None` for
    /// the other kinds.
    ///
    /// Use `downcast_ref` on it, and `source` for its causes.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => Some((**error).as_ref()),
            _ => None,
        }
    }

    /// Returns whether both are the same event. Errors are recognised by their identity, since
    /// names may be written in more than one way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        use FailureKind::{Error, Survived};
        match (&self.kind, &other.kind) {
            (Error(one) | Survived(one), Error(two) | Survived(two)) => Arc::ptr_eq(one, two),
            _ => self.headline(&Repeated::default()) == other.headline(&Repeated::default()),
        }
    }

    /// Returns the backtrace of the panic or of the error, if one was captured.
    ///
    /// `RUST_LIB_BACKTRACE=1`, or else `RUST_BACKTRACE=1`, makes the process capture them.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        let backtrace = match &self.kind {
            FailureKind::Panic(panic) => panic.backtrace.as_deref(),
            FailureKind::Error(error) | FailureKind::Survived(error) => Some(error.backtrace()),
            _ => None,
        };
        backtrace.filter(|backtrace| backtrace.status() == BacktraceStatus::Captured)
    }

    /// Returns what happened, without the text of the [`error`](Self::error): that is its own
    /// `Display`.
    pub(crate) fn headline(&self, repeated: &Repeated) -> String {
        let Self { origin, name, kind, id, .. } = self;
        let name = repeated.label(name, *id);
        let subject = match origin {
            FailureOrigin::Task => format!("task `{name}`"),
            FailureOrigin::Cleanup => format!("cleanup `{name}`"),
            FailureOrigin::Setup => String::from("the setup"),
            FailureOrigin::Start => String::from("the start"),
        };
        let late = "did not end by its deadline and was";
        match kind {
            FailureKind::Error(_) => format!("{subject} failed"),
            FailureKind::Survived(_) => format!("{subject} failed and went on"),
            FailureKind::Panic(panic) => format!("{subject} {panic}"),
            FailureKind::Aborted => format!("{subject} {late} aborted"),
            FailureKind::Abandoned { status: None } => format!("{subject} {late} abandoned"),
            FailureKind::Abandoned { status: Some(status) } => {
                format!("{subject} {late} abandoned ({status})")
            }
            FailureKind::RuntimeGone => format!("{subject} lost its runtime"),
            FailureKind::NotRun { reason } => format!("{subject} was not run: {reason}"),
            FailureKind::NotReady { blockers } => {
                format!("{subject} timed out: {}", blockers.join(", "))
            }
        }
    }

    /// Returns what happened, with the error and its causes.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        let headline = self.headline(repeated);
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => {
                format!("{headline}: {}", guarded_text(|| format!("{error:#}")))
            }
            _ => headline,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&Repeated::default()))?;
        match self.backtrace() {
            Some(backtrace) if f.alternate() => write!(f, "\n{backtrace}"),
            _ => Ok(()),
        }
    }
}
