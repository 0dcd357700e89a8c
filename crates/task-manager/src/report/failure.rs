//! One thing that went wrong.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use task_core::scope::{guarded_name, guarded_text};
use task_core::{Panic, TaskId};

use super::{Activity, Deadline, DeadlineKind, Repeated};

/// Why a cleanup was not run that its runtime never polled.
pub(crate) const NOT_REACHED: &str = "its runtime did not get to it in time";

/// One thing that went wrong: where, what, and when.
///
/// `Display` is one line, with the causes of the error: ``task `consumer` failed: reading orders:
/// no broker``. With `{:#}`, the backtrace follows, where one was captured. Line breaks and other
/// control characters in names, statuses and errors are escaped; of a name or a status at most 4
/// KiB are shown, of an error with its causes 16 KiB. The fields have them as they are.
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
    /// The task recorded this panic with
    /// [`Context::record_panic`](task_core::Context::record_panic), and went on.
    SurvivedPanic(Panic),
    /// It panicked: when polled, when its future was dropped, or on a thread that belongs to it.
    Panic(Panic),
    /// It did not end by its deadline, and its future was dropped at the await where it stood.
    Aborted {
        /// Which deadline it was. If it is [`NoTimeLeft`](crate::DeadlineKind::NoTimeLeft), others
        /// are to blame.
        deadline: Deadline,
    },
    /// It did not end by its deadline, and its future could not be dropped in time. It may still be
    /// running.
    Abandoned {
        /// Which deadline it was; `None` for what was alive inside a nested group when the outer
        /// group went on without it.
        deadline: Option<Deadline>,
        /// How long after the abort it was abandoned.
        after_abort: Duration,
        /// What kept it from having ended.
        activity: Activity,
        /// The last status that the task set.
        status: Option<Arc<str>>,
    },
    /// It ended cleanly, though it is critical and nothing had asked it to end: where
    /// [`unasked_end_fails`](crate::ManagerBuilder::unasked_end_fails).
    EndedUnasked,
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
    /// Use `downcast_ref` on it, and `source` for its causes. Neither finds a context, nor what is
    /// in a box of which [`any_error`](crate::any_error) made the error: `downcast_ref` of the
    /// `anyhow::Error` in the [kind](FailureKind::Error) finds both, the latter as the box.
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => Some((**error).as_ref()),
            _ => None,
        }
    }

    /// Returns the box that the error was made of, if it was. No chain of sources shows its type.
    pub(crate) fn boxed(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => {
                error.downcast_ref::<Box<dyn Error + Send + Sync>>().map(|error| &**error)
            }
            _ => None,
        }
    }

    /// Returns whether both are the same event. Errors are recognised by their identity, since
    /// names may be written in more than one way; what else can happen to a task of one name, by
    /// what is said about it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        use FailureKind::{Error, Survived};
        match (&self.kind, &other.kind) {
            (Error(one) | Survived(one), Error(two) | Survived(two)) => Arc::ptr_eq(one, two),
            _ => {
                (self.origin, &self.name) == (other.origin, &other.name)
                    && self.kind.predicate() == other.kind.predicate()
            }
        }
    }

    /// Returns the backtrace of the panic or of the error, if one was captured.
    ///
    /// `RUST_LIB_BACKTRACE=1`, or else `RUST_BACKTRACE=1`, makes the process capture them.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        let backtrace = match &self.kind {
            FailureKind::Panic(panic) | FailureKind::SurvivedPanic(panic) => {
                panic.backtrace.as_deref()
            }
            FailureKind::Error(error) | FailureKind::Survived(error) => Some(error.backtrace()),
            _ => None,
        };
        backtrace.filter(|backtrace| backtrace.status() == BacktraceStatus::Captured)
    }

    /// Returns what happened, without the text of the [`error`](Self::error): that is its own
    /// `Display`.
    pub(crate) fn headline(&self, repeated: &Repeated) -> String {
        format!("{} {}", self.subject(repeated), self.kind.predicate())
    }

    /// Returns what failed, as text.
    pub(crate) fn subject(&self, repeated: &Repeated) -> String {
        let name = repeated.label(&self.name, self.id);
        match self.origin {
            FailureOrigin::Task => format!("task `{name}`"),
            FailureOrigin::Cleanup => format!("cleanup `{name}`"),
            FailureOrigin::Setup => String::from("the setup"),
            FailureOrigin::Start => String::from("the start"),
        }
    }

    /// Returns what happened, with the error and its causes.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        self.headline(repeated) + &self.kind.error_text()
    }
}

impl FailureKind {
    /// Returns whether the task went on.
    pub(crate) fn is_survived(&self) -> bool {
        matches!(self, Self::Survived(_) | Self::SurvivedPanic(_))
    }

    /// Returns what is said of the subject.
    pub(crate) fn predicate(&self) -> String {
        match self {
            Self::Error(_) => String::from("failed"),
            Self::Survived(_) => String::from("failed and went on"),
            Self::Panic(panic) => panic.to_string(),
            Self::SurvivedPanic(panic) => format!("went on after it {panic}"),
            // It is not blamed if it was given no time.
            Self::Aborted { deadline } => match deadline.kind {
                DeadlineKind::NoTimeLeft { .. } => {
                    format!("was aborted without time to end ({deadline})")
                }
                DeadlineKind::Phase(_)
                | DeadlineKind::PhaseTimeout(_)
                | DeadlineKind::StopTimeout
                | DeadlineKind::Requested
                | DeadlineKind::Escalation
                | DeadlineKind::Cleanup => format!("was aborted at its deadline ({deadline})"),
            },
            Self::Abandoned { deadline, activity, status, .. } => {
                let status = status.as_ref().map(|status| guarded_name(status));
                abandoned(*activity, deadline.as_ref(), status)
            }
            Self::EndedUnasked => String::from("ended though nothing asked it to"),
            Self::RuntimeGone => String::from("lost its runtime"),
            Self::NotRun { reason } => format!("was not run: {reason}"),
            Self::NotReady { blockers } => {
                format!("timed out: {}", guarded_text(blockers.join(", ")))
            }
        }
    }

    /// As [`predicate`](Self::predicate), without what tasks of which the same is said may still
    /// differ in: their statuses.
    pub(super) fn common_predicate(&self) -> String {
        match self {
            Self::Abandoned { deadline, activity, .. } => {
                abandoned(*activity, deadline.as_ref(), None)
            }
            _ => self.predicate(),
        }
    }

    /// Returns what is to follow the predicate: the error and its causes, if there is one.
    pub(super) fn error_text(&self) -> String {
        match self {
            Self::Error(error) | Self::Survived(error) => {
                format!(": {}", guarded_text(format_args!("{error:#}")))
            }
            _ => String::new(),
        }
    }

    /// Returns what went wrong, for a log line that names the subject in another field: the error
    /// with its causes, or else what is said of the subject.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Error(error) | Self::Survived(error) => guarded_text(format_args!("{error:#}")),
            Self::SurvivedPanic(panic) => panic.to_string(),
            Self::Panic(_)
            | Self::Aborted { .. }
            | Self::Abandoned { .. }
            | Self::EndedUnasked
            | Self::RuntimeGone
            | Self::NotRun { .. }
            | Self::NotReady { .. } => self.predicate(),
        }
    }
}

/// Returns what is said of something that was abandoned.
fn abandoned(activity: Activity, deadline: Option<&Deadline>, status: Option<String>) -> String {
    let details = deadline.map(ToString::to_string).into_iter().chain(status);
    let details = match details.collect::<Vec<_>>().join("; ") {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    format!("was abandoned{}{details}", activity.clause())
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
