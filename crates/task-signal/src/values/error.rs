//! The error of the constructors.

use std::{error::Error, fmt, io};

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
#[derive(Debug)]
pub struct SignalError(ErrorKind);

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

impl From<ErrorKind> for SignalError {
    fn from(kind: ErrorKind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::NoSignals => f.write_str("no signals to capture"),
            ErrorKind::NoActions => f.write_str("no actions to run"),
            ErrorKind::Unknown(signal) => write!(f, "{signal} does not exist on this platform"),
            ErrorKind::Forbidden(signal) => write!(f, "{signal} must not be captured"),
            ErrorKind::LadderWithoutSignal(signal) => {
                write!(f, "a ladder is set for {signal}, which is not among the signals")
            }
            ErrorKind::DumpInSet(signal) => {
                write!(f, "{signal} is among the signals and cannot dump the task table as well")
            }
            ErrorKind::RequiredIsMissing(signal) => {
                write!(f, "{signal} is to stop the group, and is not among the signals")
            }
            ErrorKind::DoesNotStop(signal, first) => {
                write!(f, "{signal} is to stop the group, and its first reaction is `{first}`")
            }
            ErrorKind::Refused(_) => f.write_str("failed to capture signals"),
            ErrorKind::NoThread(_) => f.write_str("failed to start a thread that serves signals"),
        }
    }
}

impl Error for SignalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            ErrorKind::Refused(error) | ErrorKind::NoThread(error) => Some(error),
            ErrorKind::NoSignals
            | ErrorKind::NoActions
            | ErrorKind::Unknown(_)
            | ErrorKind::Forbidden(_)
            | ErrorKind::LadderWithoutSignal(_)
            | ErrorKind::DumpInSet(_)
            | ErrorKind::RequiredIsMissing(_)
            | ErrorKind::DoesNotStop(..) => None,
        }
    }
}

#[derive(Debug)]
// Windows has no signals to forbid.
#[cfg_attr(windows, allow(dead_code))]
pub(crate) enum ErrorKind {
    NoSignals,
    NoActions,
    Unknown(Signal),
    Forbidden(Signal),
    LadderWithoutSignal(Signal),
    DumpInSet(Signal),
    RequiredIsMissing(Signal),
    DoesNotStop(Signal, &'static str),
    Refused(io::Error),
    NoThread(io::Error),
}
