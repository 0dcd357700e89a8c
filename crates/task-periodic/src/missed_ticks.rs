//! What becomes of ticks that pass while a run is in progress.

/// What becomes of ticks that pass while a run is still in progress. Runs never overlap.
///
/// A tick that falls exactly on the end of a run is not missed. With [jitter](crate::Jitter), a tick is missed only
/// if its whole window has passed.
///
/// Period 10 s, and the run of the tick at 0 s takes 34 s; the ticks at 10, 20 and 30 s are missed:
///
/// | | runs begin at |
/// |---|---|
/// | `Skip` | 0, 40, 50, 60 |
/// | `Delay` | 0, 34, 44, 54 |
/// | `Burst` | 0, 34, 34, 34, 40, 50 (if they take no time) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedTicks {
    /// They are dropped: the next run is at the next tick. The default.
    #[default]
    Skip,
    /// One run makes up for all of them at once. A period starts anew from it; a cron schedule goes on as it is.
    Delay,
    /// Each is made up for, back to back, until the task has caught up. There is no limit to how many: a task that
    /// was held up for long runs without a pause for long.
    Burst,
}
