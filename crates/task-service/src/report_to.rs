//! Where a service writes its report.

/// Where a service writes its report.
///
/// The service waits for the text for at most 1 s: a pipe that is full does not keep the process.
/// The log comes before it, and [`wait`](task_manager#the-log) says how long that may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportTo {
    /// As text to stderr, whatever the log is.
    #[default]
    Stderr,
    /// Nowhere but to the log. Whatever is set here, the manager's last event, `shutdown ended`,
    /// says as [fields](task_manager#the-log) what the text says, and every failure has an event of
    /// its own.
    Log,
}
