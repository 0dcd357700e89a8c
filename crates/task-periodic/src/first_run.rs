//! When the first run begins.

use std::time::Duration;

/// When the first run begins.
///
/// [Jitter](crate::Jitter) applies to all but [`Immediately`](Self::Immediately). To keep many processes that start
/// together from running together, choose one of the others, and jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstRun {
    /// As soon as the task starts.
    Immediately,
    /// One delay or one period after the task's start; at the next match of a cron schedule.
    OnSchedule,
    /// This long after the task's start. A clock starts from here. Longer than the clock can tell is never.
    After(Duration),
}
