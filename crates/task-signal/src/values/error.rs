//! The error of the constructors.

use std::io;

use crate::values::Signal;

/// Why a [`SignalTask`](crate::SignalTask) or a [`SignalTrigger`](crate::SignalTrigger) could not
/// be made.
///
/// After such an error no signal stays captured. The kind of the error is private; the predicates
/// tell the kinds apart, and [`source`](std::error::Error::source) is the error of the system, if
/// there was one.
///
/// # Examples
///
/// ```
/// use task_signal::{Signal, SignalTask};
///
/// let error = SignalTask::builder().signals([9]).build().unwrap_err();
/// # if cfg!(unix) {
/// assert!(error.is_forbidden());
/// assert_eq!(error.to_string(), "SIGKILL must not be captured");
/// # }
/// assert_eq!(error.signal(), Some(Signal::new(9)));
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SignalError(#[from] ErrorKind);

impl SignalError {
    /// Returns whether there was nothing to do: no signals, or a trigger with no actions.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, ErrorKind::NoSignals | ErrorKind::NoActions)
    }

    /// Returns whether the signal does not exist on this platform.
    pub fn is_unknown(&self) -> bool {
        matches!(self.0, ErrorKind::Unknown(_))
    }

    /// Returns whether the signal exists and must not be captured: the system does not allow it
    /// (`SIGKILL`, `SIGSTOP`), it reports a fault that a program cannot recover from (`SIGSEGV`,
    /// `SIGILL`, `SIGFPE`, `SIGBUS`), or it belongs to the C library (32 and 33 on Linux).
    pub fn is_forbidden(&self) -> bool {
        matches!(self.0, ErrorKind::Forbidden(_))
    }

    /// Returns whether the settings contradict each other: a ladder for a signal that is not
    /// captured, a signal that both stops the group and dumps the task table, or a
    /// [required](crate::SignalTaskBuilder::required_signals) one that does not stop the group.
    pub fn is_contradictory(&self) -> bool {
        matches!(
            self.0,
            ErrorKind::LadderWithoutSignal(_)
                | ErrorKind::DumpInSet(_)
                | ErrorKind::RequiredIsMissing(_)
                | ErrorKind::DoesNotStop(..)
        )
    }

    /// Returns whether the system refused: it had no file descriptor or no thread left.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, ErrorKind::Refused(_) | ErrorKind::NoThread(_))
    }

    /// Returns the signal that the error is about, if it is about one.
    pub fn signal(&self) -> Option<Signal> {
        match self.0 {
            ErrorKind::Unknown(signal)
            | ErrorKind::Forbidden(signal)
            | ErrorKind::LadderWithoutSignal(signal)
            | ErrorKind::DumpInSet(signal)
            | ErrorKind::RequiredIsMissing(signal)
            | ErrorKind::DoesNotStop(signal, _) => Some(signal),
            ErrorKind::NoSignals
            | ErrorKind::NoActions
            | ErrorKind::Refused(_)
            | ErrorKind::NoThread(_) => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
// Windows has no signals to forbid.
#[cfg_attr(windows, allow(dead_code))]
pub(crate) enum ErrorKind {
    #[error("no signals to capture")]
    NoSignals,
    #[error("no actions to run")]
    NoActions,
    #[error("{0} does not exist on this platform")]
    Unknown(Signal),
    #[error("{0} must not be captured")]
    Forbidden(Signal),
    #[error("a ladder is set for {0}, which is not among the signals")]
    LadderWithoutSignal(Signal),
    #[error("{0} is among the signals and cannot dump the task table as well")]
    DumpInSet(Signal),
    #[error("{0} is to stop the group, and is not among the signals")]
    RequiredIsMissing(Signal),
    #[error("{0} is to stop the group, and its first reaction is `{1}`")]
    DoesNotStop(Signal, &'static str),
    #[error("failed to capture signals")]
    Refused(#[source] io::Error),
    #[error("failed to start a thread that serves signals")]
    NoThread(#[source] io::Error),
}
