//! The small choices of the builders, each an enum that says what a `bool` would hide.

/// What happens to signals that this process was started with ignoring: under `nohup`, or in the background of a
/// script (`service &` has `SIGINT` and `SIGQUIT` ignored).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IgnoredSignals {
    /// They stay ignored: whoever started the process wanted that.
    #[default]
    Keep,
    /// They are captured like any other. Afterwards they are ignored again.
    Capture,
}

/// What happens to the captured signals when they are captured no longer. Of several tasks that capture the same
/// signal, the last one that lets it go decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AfterEnd {
    /// They get their default action back, which for most of them ends the process.
    #[default]
    DefaultAction,
    /// They do nothing, unless another library handles them. For a program that handles them by other means as
    /// well, or that must not be ended between the report and its exit.
    Nothing,
}

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

/// What happens when an action of a trigger fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The failure is logged, recorded for the report and shown in the task's status; the other actions and the next
    /// signals go on.
    #[default]
    Continue,
    /// The task fails with it, at once, which stops the group.
    Fail,
}
