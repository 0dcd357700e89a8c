//! Why a service does not fit its platform.

use std::{error::Error, fmt, time::Duration};

use task_core::{Phase, Timeout};

use super::detect::GRACE;

/// Why the settings of a service do not fit its [`Platform`](super::Platform): the error with which
/// it fails to start.
///
/// `Display` has the figures, and what would fit. For an exit code of its own see
/// [`Service::exit_code_for`](crate::Service::exit_code_for).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformError {
    pub(super) platform: String,
    pub(super) problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The variable for the grace is no number.
    NoNumber(String),
    /// Of the grace nothing is left for the shutdown.
    NoTime { grace: Duration, before_signal: Duration, reserve: Duration },
    /// The shutdown timeout is longer than what fits.
    TooLong { grace: Duration, set: Timeout, most: Duration },
    /// The parts of the shutdown leave nothing for tasks.
    NoTimeToStop { total: Duration, drain: Duration, cleanup: Option<Duration> },
    /// A limit of a phase could never be reached.
    PhaseTooLong { phase: Phase, limit: Duration, most: Duration },
}

impl PlatformError {
    /// Returns whether the time is too short: for the shutdown timeout that is set, or for any.
    pub fn is_too_long(&self) -> bool {
        matches!(self.problem, Problem::NoTime { .. } | Problem::TooLong { .. })
    }

    /// Returns whether the times that are set within the shutdown leave too little of it, or are
    /// longer than what is left.
    pub fn is_no_time_to_stop(&self) -> bool {
        matches!(self.problem, Problem::NoTimeToStop { .. } | Problem::PhaseTooLong { .. })
    }

    /// Returns whether `TASK_GRACE_SECONDS` is no number.
    pub fn is_no_number(&self) -> bool {
        matches!(self.problem, Problem::NoNumber(_))
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platform = &*self.platform;
        match &self.problem {
            Problem::NoNumber(text) => {
                write!(f, "{GRACE} is {text:?}, which is no whole number of seconds")
            }
            Problem::NoTime { grace, before_signal, reserve } => write!(
                f,
                "{platform} kills the process {grace:?} after the beginning of a stop, which \
                 leaves nothing for a shutdown: {before_signal:?} are over at the signal, and \
                 {reserve:?} are for the end"
            ),
            Problem::TooLong { grace, set, most } => {
                match set {
                    Timeout::After(set) => write!(f, "`shutdown_timeout` of {set:?}")?,
                    Timeout::Never => f.write_str("a `shutdown_timeout` without a limit")?,
                }
                write!(
                    f,
                    " does not fit {platform}, which kills the process {grace:?} after the \
                     beginning of a stop: at most {most:?} does; if it grants more time, set \
                     `Platform::grace` or {GRACE}"
                )
            }
            Problem::NoTimeToStop { total, drain, cleanup } => {
                write!(f, "`drain_delay` of {drain:?}")?;
                if let Some(cleanup) = cleanup {
                    write!(f, " and `cleanup_timeout` of {cleanup:?}")?;
                }
                write!(
                    f,
                    " leave less than 100ms for the tasks, of the {total:?} that a shutdown takes \
                     on {platform}"
                )
            }
            Problem::PhaseTooLong { phase, limit, most } => write!(
                f,
                "`phase_timeout` of {limit:?} for phase {} is longer than the {most:?} that tasks \
                 have on {platform}",
                phase.number()
            ),
        }
    }
}

impl Error for PlatformError {}
