//! What a failed action means for a trigger.

/// What a failed action means for a [`SignalTrigger`](crate::SignalTrigger). An action fails if it
/// returns an error or panics. [`Cancelled`](task_core::Cancelled) is no failure once the task is
/// stopped: the task then ends with it, whatever is set here.
///
/// A failure that the task survives is logged as an error, and is part of the task's status until
/// the next run begins. This setting decides whether it also makes the shutdown's report unclean.
///
/// # Examples
///
/// ```
/// use task_signal::{OnActionError, SignalTrigger};
///
/// # async fn load() -> anyhow::Result<()> { Ok(()) }
/// # fn main() -> Result<(), task_signal::SignalError> {
/// # #[cfg(unix)]
/// let reload = SignalTrigger::builder()
///     .action("configuration", |_ctx| load())
///     .on_action_error(OnActionError::Record)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnActionError {
    /// The task continues, with the other actions of the run and with the next signal, and the
    /// report stays clean. This is the default.
    #[default]
    Continue,
    /// The task continues in the same way. Each failure is
    /// [recorded](task_core::Context::record_failure): it is part of the report, which is then not
    /// clean.
    Record,
    /// The task fails at once with the action's error, and the group stops.
    Fail,
}
