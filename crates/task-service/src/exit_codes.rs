//! The exit codes of a service.

use std::{error::Error, fmt};

use task_manager::{CauseKind, FailureKind, Report, ShutdownError};

/// The exit codes of a service in which something went wrong. Without a failure it exits with 0.
///
/// The setters change one code each and keep the others. Every number is valid: two codes may be
/// the same, and a code of 0 hides the failure from the parent process. For a code that depends on
/// the error, see [`Service::exit_code_for`](crate::Service::exit_code_for).
///
/// # Examples
///
/// ```
/// use task_service::ExitCodes;
///
/// let codes = ExitCodes::new().setup_failed(78); // EX_CONFIG of sysexits.h
/// assert_eq!((codes.failure, codes.setup_failed, codes.hard_exit), (1, 78, 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitCodes {
    /// The code after a failure.
    pub failure: u8,
    /// The code after a setup that failed.
    pub setup_failed: u8,
    /// The code of a process that was ended because its shutdown did not end.
    pub hard_exit: u8,
}

impl ExitCodes {
    /// Creates the default codes.
    pub const fn new() -> Self {
        Self { failure: 1, setup_failed: 3, hard_exit: 4 }
    }

    /// Sets the code after a failure: of a task, of a cleanup, or of the wait. Default: 1.
    pub const fn failure(mut self, code: u8) -> Self {
        self.failure = code;
        self
    }

    /// Sets the code for a shutdown that a failed setup began, and for a service that failed to
    /// start: because of its settings, or because there was no runtime or no signal handler.
    /// Default: 3.
    pub const fn setup_failed(mut self, code: u8) -> Self {
        self.setup_failed = code;
        self
    }

    /// Sets the code of the [hard exit](task_manager::ManagerBuilder::hard_exit), which ends the
    /// process when the report is not available 1 s after the shutdown's budget, or the setup still
    /// blocks 1 s after the report was made. Default: 4.
    pub const fn hard_exit(mut self, code: u8) -> Self {
        self.hard_exit = code;
        self
    }

    /// Returns the code for the result of a service's `wait`: 0 if and only if the report is clean.
    pub(crate) fn code_of(self, result: &Result<Report, ShutdownError>) -> u8 {
        let Err(error) = result else { return 0 };
        let cause = error.report().map(|report| &report.cause().kind);
        if cause == Some(&CauseKind::SetupFailed) { self.setup_failed } else { self.failure }
    }
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self::new()
    }
}

/// Exit codes for certain ends: by the report, and for errors of certain types, in the order in
/// which they were set.
#[derive(Default)]
pub(crate) struct OwnCodes {
    by_report: Option<ReportCode>,
    by_error: Vec<ErrorCode>,
}

/// Returns the code for a report, if it has one of its own.
type ReportCode = Box<dyn FnOnce(&Report) -> Option<u8> + Send>;
/// Returns the code for an error, if it is of a certain type.
type ErrorCode = Box<dyn FnOnce(&anyhow::Error) -> Option<u8> + Send>;

impl OwnCodes {
    pub(crate) fn set_by_report(
        &mut self,
        code: impl FnOnce(&Report) -> Option<u8> + Send + 'static,
    ) {
        self.by_report = Some(Box::new(code));
    }

    pub(crate) fn add<E>(&mut self, code: impl FnOnce(&E) -> u8 + Send + 'static)
    where
        E: Error + Send + Sync + 'static,
    {
        self.by_error.push(Box::new(|error| find::<E>(error).map(code)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_report.is_none() && self.by_error.is_empty()
    }

    /// Returns the code for a report, or for the error of its first failure. Calls code of the
    /// user's.
    pub(crate) fn code_of(mut self, report: &Report) -> Option<u8> {
        let by_report = self.by_report.take().and_then(|code| code(report));
        by_report.or_else(|| self.code_of_error(first_error(report)?))
    }

    /// Returns the code for an error. Calls code of the user's.
    pub(crate) fn code_of_error(self, error: &anyhow::Error) -> Option<u8> {
        self.by_error.into_iter().find_map(|code| code(error))
    }
}

impl fmt::Debug for OwnCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by_report, by_error } = self;
        let mut debug = f.debug_struct("OwnCodes");
        debug.field("by_report", &by_report.is_some()).field("by_error", &by_error.len()).finish()
    }
}

/// Finds an error of this type: the error itself, also in a box, a context of it, or a cause.
fn find<E: Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
    // The chain does not show the type of what is in a box.
    let in_box = || error.downcast_ref::<Box<dyn Error + Send + Sync>>()?.downcast_ref();
    let cause = || error.chain().find_map(|cause| cause.downcast_ref());
    error.downcast_ref().or_else(in_box).or_else(cause)
}

/// Returns the error of the first failure, unless that is of another kind.
fn first_error(report: &Report) -> Option<&anyhow::Error> {
    match &report.failures().first()?.kind {
        FailureKind::Error(error) | FailureKind::Survived(error) => Some(error),
        _ => None,
    }
}
