//! Why signals could not be captured.

use std::io;

use crate::Signal;

/// Why a [`SignalTask`](crate::SignalTask) or a [`SignalTrigger`](crate::SignalTrigger) could not be made.
///
/// Nothing stays captured after such an error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SignalError(#[from] ErrorKind);

impl SignalError {
    /// Tells whether there was nothing to do: no signals, or a trigger with no actions.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, ErrorKind::NoSignals | ErrorKind::NoActions)
    }

    /// Tells whether this platform has no such signal.
    pub fn is_unknown(&self) -> bool {
        matches!(self.0, ErrorKind::Unknown(_))
    }

    /// Tells whether the signal exists and must not be captured: it cannot be caught (`SIGKILL`, `SIGSTOP`), tells of
    /// a fault that there is no coming back from (`SIGSEGV`, `SIGILL`, `SIGFPE`, `SIGBUS`), or belongs to the C
    /// library (32 and 33 on Linux).
    pub fn is_forbidden(&self) -> bool {
        matches!(self.0, ErrorKind::Forbidden(_) | ErrorKind::Reserved(_))
    }

    /// Tells whether the settings contradict each other: a ladder for a signal that is not captured, or one signal
    /// both in the set and for the dump.
    pub fn is_contradictory(&self) -> bool {
        matches!(self.0, ErrorKind::LadderWithoutSignal(_) | ErrorKind::DumpInSet(_))
    }

    /// Tells whether the system refused: it had no file descriptor or no thread to give.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, ErrorKind::Capture(_) | ErrorKind::Thread(_))
    }

    /// Returns the signal that it is about, if it is about one.
    pub fn signal(&self) -> Option<Signal> {
        match self.0 {
            ErrorKind::Unknown(signal)
            | ErrorKind::Forbidden(signal)
            | ErrorKind::Reserved(signal)
            | ErrorKind::LadderWithoutSignal(signal)
            | ErrorKind::DumpInSet(signal) => Some(signal),
            ErrorKind::NoSignals
            | ErrorKind::NoActions
            | ErrorKind::Capture(_)
            | ErrorKind::Thread(_) => None,
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
    #[error("{0} is reserved by the C library")]
    Reserved(Signal),
    #[error("a ladder is set for {0}, which is not among the signals")]
    LadderWithoutSignal(Signal),
    #[error("{0} is among the signals and cannot dump the task table as well")]
    DumpInSet(Signal),
    #[error("failed to capture signals")]
    Capture(#[source] io::Error),
    #[error("failed to start a thread for signals")]
    Thread(#[source] io::Error),
}
