//! What a failed action means for a trigger.

/// What it means for a [`SignalTrigger`](crate::SignalTrigger) that an action failed. An action fails when it returns
/// an error or panics.
///
/// A failure that the task survives is logged, and shows in its status until the next run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The task goes on, with the other actions of the run and with the next signal, and the failure is
    /// [recorded](task_core::Context::record_failure): the shutdown's report has it and is not clean, since somebody
    /// asked for something that was not done. The default.
    #[default]
    Record,
    /// The task goes on in the same way, and the report stays clean.
    Continue,
    /// The task fails with it, at once, and with it the group.
    Fail,
}
