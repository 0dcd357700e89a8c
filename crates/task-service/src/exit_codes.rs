//! The exit codes of a service.

use task_manager::{CauseKind, Report, ShutdownError};

/// The exit codes of a service in which something went wrong. Without a failure it exits with 0.
///
/// The setters change one code each and keep the others. Every number is valid: two codes may be
/// the same, and a code of 0 hides the failure from the parent process.
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

/// Returns whether the clean end of a critical task, without a stop request, began the shutdown.
pub(crate) fn is_unasked_end(report: &Report) -> bool {
    match &report.cause().kind {
        CauseKind::TaskEnded { outcome, was_asked, .. } => !was_asked && outcome.is_clean(),
        _ => false,
    }
}
