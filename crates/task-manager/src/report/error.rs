//! Why a wait returned no clean report.

use std::error::Error;
use std::fmt;

use task_core::scope::guarded_name;

use super::{Failure, Reason, Report};

/// Why [`wait`](crate::Manager::wait) returned no clean report.
///
/// Either something went wrong in the group, and [`report`](Self::report) is `Some`; or the wait
/// itself was refused, and one of [`is_inside`](Self::is_inside),
/// [`is_no_runtime`](Self::is_no_runtime), [`is_no_thread`](Self::is_no_thread) and
/// [`is_gone`](Self::is_gone) is true. It is cheap to clone.
///
/// # Format
///
/// `Display` is one line: the root, and how many failures there are beside it. `source()` is the
/// root's error, so `{:#}` under `anyhow` shows its causes, and downcasts work through it. `Debug`
/// shows the whole report with the backtraces that were captured, for a `main` that returns the
/// error.
///
/// # Examples
///
/// ```
/// use std::io;
/// use task_manager::{Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let manager = Manager::new();
/// manager.run(task_fn("server", async |_| {
///     Err(io::Error::from(io::ErrorKind::AddrInUse).into())
/// })).unwrap();
/// let error = manager.wait().await.unwrap_err();
/// assert_eq!(error.to_string(), "task `server` failed");
/// let io = error.downcast_ref::<io::Error>().unwrap();
/// assert_eq!(io.kind(), io::ErrorKind::AddrInUse);
/// assert_eq!(error.exit_code(), 1);
/// # }
/// ```
#[derive(Clone)]
pub struct ShutdownError(pub(crate) ShutdownErrorKind);

#[derive(Clone, Debug)]
pub(crate) enum ShutdownErrorKind {
    Failed(Report),
    Inside { manager: String },
    Unbound { manager: String, reason: Reason },
    Gone,
}

impl ShutdownError {
    /// Returns the report; `None` if the wait itself was refused.
    pub fn report(&self) -> Option<&Report> {
        match &self.0 {
            ShutdownErrorKind::Failed(report) => Some(report),
            _ => None,
        }
    }

    /// Returns the root, which is the failure that came first; `None` if the wait itself was
    /// refused.
    pub fn root(&self) -> Option<&Failure> {
        self.report()?.failures().first()
    }

    /// Returns whether the wait was refused because it would have waited for itself.
    ///
    /// The calling code is a task, a blocking task's thread or a cleanup of the same manager, or of
    /// one that is nested in it: a manager that a task of it runs, or that was made in one and is
    /// not run by a task of another.
    pub fn is_inside(&self) -> bool {
        matches!(self.0, ShutdownErrorKind::Inside { .. })
    }

    /// Returns whether the wait was refused because there is no Tokio runtime with its time driver
    /// enabled.
    pub fn is_no_runtime(&self) -> bool {
        matches!(self.0, ShutdownErrorKind::Unbound { reason: Reason::NoRuntime, .. })
    }

    /// Returns whether the wait was refused because the system refused the process a thread for its
    /// deadlines. A later call tries again.
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0, ShutdownErrorKind::Unbound { reason: Reason::NoThread, .. })
    }

    /// Returns whether the manager behind a handle no longer exists, and its report with it.
    pub fn is_gone(&self) -> bool {
        matches!(self.0, ShutdownErrorKind::Gone)
    }

    /// Returns the first error of type `E` among the root's error and its sources. If the error was
    /// made of a `Box<dyn Error + Send + Sync>`, as by [`any_error`](crate::any_error), what is in
    /// the box counts as well.
    ///
    /// To search other failures as well, go through [`Report::failures`].
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        let root = self.root()?;
        let in_box = root.boxed().and_then(|error| error.downcast_ref());
        in_box.or_else(|| anyhow::Chain::new(root.error()?).find_map(|error| error.downcast_ref()))
    }

    /// Returns the exit code for the process: that of the [report](Report::exit_code), or 1 if the
    /// wait was refused.
    pub fn exit_code(&self) -> u8 {
        self.report().map_or(1, Report::exit_code)
    }
}

/// The root failure, and how many more there are.
fn headline(report: &Report) -> String {
    let Some(root) = report.failures().first() else { return String::from("failed") };
    let headline = root.headline(&report.0.repeated);
    match report.failures().len() as u64 - 1 + report.omitted_failures() {
        0 => headline,
        more => format!("{headline} (+{more} more)"),
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ShutdownErrorKind::Failed(report) => f.write_str(&headline(report)),
            ShutdownErrorKind::Inside { manager } => {
                let manager = guarded_name(manager);
                write!(
                    f,
                    "cannot wait for manager `{manager}` from inside of it: it would wait for itself"
                )
            }
            ShutdownErrorKind::Unbound { manager, reason } => {
                write!(f, "manager `{}` cannot run: {reason}", guarded_name(manager))
            }
            ShutdownErrorKind::Gone => f.write_str("the manager no longer exists"),
        }
    }
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ShutdownErrorKind::Failed(report) => write!(f, "{report:#}"),
            _ => write!(f, "{self}"),
        }
    }
}

impl Error for ShutdownError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.root()?.error()
    }
}
