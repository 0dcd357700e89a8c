//! The level of a log line.

/// The level of the log line about a signal that arrived.
///
/// # Examples
///
/// ```
/// use task_signal::{LogLevel, SignalTask};
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder().log_level(LogLevel::Debug).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// No line is written.
    Off,
    /// The level of errors.
    Error,
    /// The level of warnings.
    Warn,
    /// The level of information. This is the default.
    #[default]
    Info,
    /// The level of information for debugging.
    Debug,
    /// The level of the finest detail.
    Trace,
}
