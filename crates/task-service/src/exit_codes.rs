//! The codes that a service exits with.

use task_manager::{CauseKind, Report, ShutdownError};

/// The codes that a service exits with when something went wrong; 0 is for when nothing did.
///
/// Name those to change, and take the others from the defaults; later versions may have more.
///
/// ```
/// use task_service::ExitCodes;
///
/// let codes = ExitCodes { setup_failed: 78, ..ExitCodes::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// Something failed. Default: 1.
    pub failure: u8,
    /// A failed setup began the shutdown. Default: 3.
    pub setup_failed: u8,
    /// The process was ended because the shutdown could not be finished. Default: 4.
    pub hard_exit: u8,
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { failure: 1, setup_failed: 3, hard_exit: 4 }
    }
}

impl ExitCodes {
    pub(crate) fn of(&self, result: &Result<Report, ShutdownError>, unasked_end_fails: bool) -> u8 {
        match result {
            Ok(report) if unasked_end_fails && is_unasked_end(report) => self.failure,
            Ok(_) => 0,
            Err(error) => match error.report().map(|report| &report.cause().kind) {
                Some(CauseKind::SetupFailed) => self.setup_failed,
                _ => self.failure,
            },
        }
    }
}

/// Tells whether a critical task ended cleanly though nobody had asked it to.
pub(crate) fn is_unasked_end(report: &Report) -> bool {
    matches!(&report.cause().kind, CauseKind::TaskEnded { outcome, was_asked: false, .. } if outcome.is_clean())
}
