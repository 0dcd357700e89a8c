//! What a signal leads to.

/// What a signal leads to: a step of its [ladder](crate::SignalTaskBuilder::ladder).
///
/// # Examples
///
/// A second `SIGTERM` ends the drain, and a third one aborts:
///
/// ```
/// use task_signal::{Reaction, Signal, SignalTask};
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder()
///     .ladder(Signal::TERM, [Reaction::Stop, Reaction::EndDrain, Reaction::Abort])
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reaction {
    /// Writes a line to the log, and does nothing else.
    Log,
    /// Writes the task table to the log.
    Dump,
    /// Asks the group to stop, with its drain and its full timeouts.
    Stop,
    /// Asks the group to stop and ends its drain at once: tasks are cancelled now.
    EndDrain,
    /// Asks the group to stop, and ends the drain and the grace period at once: tasks are aborted,
    /// and cleanups run within their escalated timeout.
    Abort,
    /// Ends the process at once with the exit code 128 + number of the signal. No cleanup runs. One
    /// line on standard error names up to 20 tasks and cleanups that are alive, if the group and
    /// standard error take at most 100 ms each.
    Exit,
}

impl Reaction {
    /// Returns the word used in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Dump => "dump",
            Self::Stop => "stop",
            Self::EndDrain => "end drain",
            Self::Abort => "abort",
            Self::Exit => "exit",
        }
    }

    /// Returns whether the group takes a step.
    pub(crate) const fn is_step(self) -> bool {
        matches!(self, Self::Stop | Self::EndDrain | Self::Abort)
    }
}
