//! What a failed action means for a trigger.

/// What it means for a [`SignalTrigger`](crate::SignalTrigger) that an action failed. An action fails when it returns
/// an error or panics.
///
/// A failure that the task survives is logged as an error, and shows in its status until the next run begins. Whether it
/// also makes the shutdown's report unclean is the choice here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The task goes on, with the other actions of the run and with the next signal, and the report stays clean. The
    /// default.
    #[default]
    Continue,
    /// The task goes on in the same way, and each failure is [recorded](task_core::Context::record_failure): the report
    /// has it and is not clean.
    Record,
    /// The task fails with it, at once, and with it the group.
    Fail,
}
