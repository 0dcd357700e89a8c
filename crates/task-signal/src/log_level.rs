//! How loud a log line is.

/// The level of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// No line.
    Off,
    /// Something is wrong.
    Error,
    /// Something may be wrong.
    Warn,
    /// Worth knowing.
    #[default]
    Info,
    /// Of interest while looking for a fault.
    Debug,
    /// Every detail.
    Trace,
}
