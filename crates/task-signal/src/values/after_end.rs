//! What signals do once they are no longer captured.

/// What the captured signals do once they are no longer captured: after the end of the group and of
/// the last [`CaptureGuard`](crate::CaptureGuard), or after a task was dropped that never ran.
/// Repeats of a signal that counted have no effect in any case.
///
/// If several tasks capture the same signal, the setting of the last one to release it applies.
///
/// # Examples
///
/// A program that flushes its telemetry after the report, and must not be killed meanwhile:
///
/// ```
/// use task_signal::{AfterEnd, SignalTask};
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder().after_end(AfterEnd::Nothing).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AfterEnd {
    /// The signals have their default action again, which for most of them ends the process. This
    /// is the default.
    #[default]
    DefaultAction,
    /// The signals do nothing, unless another library handles them. For a program that handles
    /// them by other means as well, or that must not be killed between the report and its exit.
    Nothing,
}
