//! How far a shutdown is escalated.

/// How far a shutdown is escalated by [`Context::escalate`](crate::Context::escalate). A higher
/// level includes the lower ones, and no level is ever taken back.
///
/// An escalation only moves deadlines earlier. A second Ctrl-C, for example, is an
/// [`Abort`](Self::Abort).
///
/// # Examples
///
/// ```
/// use task_core::Escalation;
///
/// assert!(Escalation::Abort > Escalation::EndDrain);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Escalation {
    /// Ends the drain: tasks are stopped now, and have their usual time to end.
    EndDrain,
    /// Ends the drain and the tasks' time to end: tasks that were asked to end are aborted now, and
    /// those that are asked only now within a quarter of a second. Cleanups run on the manager's
    /// short budget.
    Abort,
}
