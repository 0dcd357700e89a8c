//! A task or cleanup that was not admitted, handed back.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use task_core::scope::{guarded_name, guarded_text};

/// A task or a cleanup that was not admitted, with the reason.
///
/// [`Manager::run`](crate::Manager::run) and its siblings return it as their error. Nothing of the
/// value was lost: [`into_inner`](Self::into_inner) hands it back. It is `Send + Sync` whatever the
/// value is, so that `?` turns it into an `anyhow::Error`.
///
/// During a shutdown a refusal is to be expected: it is a failure only if the task that gets it
/// returns it as its error.
///
/// # Examples
///
/// ```
/// use task_manager::{Manager, Task, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.shutdown().await?;
///
/// let refused = manager.run(task_fn("late", async |_| Ok(()))).unwrap_err();
/// assert!(refused.is_too_late());
/// assert_eq!(refused.reason().to_string(), "the manager has ended");
/// let task = refused.into_inner(); // to be run elsewhere
/// assert_eq!(task.name(), "late");
/// # Ok(())
/// # }
/// ```
pub struct Refused<T> {
    /// In a mutex only to be `Sync`: it is never locked.
    value: Mutex<T>,
    name: String,
    reason: RefusedReason,
}

/// Why a task or a cleanup was refused, whatever its type: the [`source`](Error::source) of every
/// [`Refused`].
///
/// It makes a refusal recognisable in an error of another type, where the type of the refused task
/// is not known.
///
/// ```
/// use task_manager::RefusedReason;
///
/// fn came_too_late(error: &anyhow::Error) -> bool {
///     let mut reasons = error.chain().filter_map(|cause| cause.downcast_ref::<RefusedReason>());
///     reasons.any(RefusedReason::is_too_late)
/// }
/// # assert!(!came_too_late(&anyhow::anyhow!("disk full")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedReason(Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its phase has been stopped, or the cleanups have begun.
    Stopping,
    /// The report is made, or the manager is gone.
    Ended,
    /// There is no runtime to run on.
    NoRuntime,
    /// A thread that keeps the deadlines, or that the hard exit needs, could not be started.
    NoThread,
    /// Asking it for its properties panicked.
    Panicked(String),
}

impl<T> Refused<T> {
    pub(crate) fn new(value: T, name: impl Into<String>, reason: Reason) -> Self {
        Self { value: Mutex::new(value), name: name.into(), reason: RefusedReason(reason) }
    }

    /// Returns what was refused. It was never polled.
    pub fn into_inner(self) -> T {
        self.value.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns why it was refused, in a type that does not depend on `T`.
    pub fn reason(&self) -> &RefusedReason {
        &self.reason
    }

    /// Returns whether it came too late; see [`RefusedReason::is_too_late`].
    pub fn is_too_late(&self) -> bool {
        self.reason.is_too_late()
    }
}

impl RefusedReason {
    /// Returns whether it came too late: its phase had been stopped, the cleanups had begun, or the
    /// manager had ended.
    pub fn is_too_late(&self) -> bool {
        matches!(self.0, Reason::Stopping | Reason::Ended)
    }

    /// Returns whether there is no Tokio runtime with its time driver enabled to run it on.
    pub fn is_no_runtime(&self) -> bool {
        self.0 == Reason::NoRuntime
    }

    /// Returns whether the threads for the deadlines could not be started: the deadline thread, or
    /// those of a hard exit. A later call tries again.
    pub fn is_no_thread(&self) -> bool {
        self.0 == Reason::NoThread
    }

    /// Returns whether asking the task for its name, phase, gate or stop timeout panicked.
    pub fn is_panicked(&self) -> bool {
        matches!(self.0, Reason::Panicked(_))
    }
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for RefusedReason {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopping => "the manager is stopping",
            Self::Ended => "the manager has ended",
            Self::NoRuntime => "there is no tokio runtime with its time driver enabled",
            Self::NoThread => "the threads for the deadlines could not be started",
            Self::Panicked(text) => {
                let text = guarded_text(text);
                return write!(f, "it panicked when asked for its properties: {text}");
            }
        })
    }
}

/// Names what was refused. The reason is the [`source`](Error::source), which `{:#}` prints under
/// `anyhow`.
impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was refused", guarded_name(&self.name))
    }
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("name", &self.name)
            .field("reason", &self.reason.0)
            .finish_non_exhaustive()
    }
}

impl<T> Error for Refused<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.reason)
    }
}
