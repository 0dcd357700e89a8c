//! What happens to signals that the process was started with ignoring.

/// What happens to signals that the parent process had set to be ignored.
///
/// A process inherits ignored signals: `nohup` ignores `SIGHUP`, and a shell script ignores
/// `SIGINT` and `SIGQUIT` in what it starts in the background (`service &`). They are recognized on
/// Linux only; on other systems every signal is captured.
///
/// # Examples
///
/// ```
/// use task_signal::{IgnoredSignals, Signal, SignalTask};
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder().ignored(IgnoredSignals::Capture).build()?;
/// assert!(signals.signals().contains(&Signal::INT));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IgnoredSignals {
    /// They stay ignored, as the parent process intended, with a line in the log, which is a
    /// warning for `SIGTERM`. This is the default.
    #[default]
    Keep,
    /// They are captured like any other signal. Afterwards they are ignored again.
    Capture,
}
