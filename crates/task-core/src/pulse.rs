//! A callback that a manager calls at an interval, to the end.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::Step;

/// The callback of a [`Pulse`].
pub type PulseFn = Box<dyn FnMut(Beat) + Send>;

/// What the callback of a [`Pulse`] is called with: the state of the group and of its runtime.
///
/// Later versions may have more.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Beat, Step};
///
/// let mut beat = Beat::new(Step::Running);
/// assert!(beat.is_alive());
/// beat.stale = Some(Duration::from_secs(2));
/// assert!(!beat.is_alive()); // every worker of the runtime is blocked
/// beat.has_deadline = true;
/// assert!(beat.is_alive()); // as well, but the hard exit will end that
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beat {
    /// The manager's step.
    pub step: Step,
    /// For how long the manager's runtime has not run a task that was spawned on it; `None` if it
    /// has run one since the last beat. Of a time in which the whole process was stopped, or the
    /// machine asleep, at most two intervals count.
    pub stale: Option<Duration>,
    /// Whether a deadline of the shutdown is ahead, which a blocked runtime does not delay: the
    /// shutdown has begun, its time is limited, and the instant of the hard exit, 1 s after the
    /// end of that time, has not come, whether or not there is a hard exit.
    pub has_deadline: bool,
}

impl Beat {
    /// Creates the beat of a runtime that is not stale, with no deadline ahead.
    pub fn new(step: Step) -> Self {
        Self { step, stale: None, has_deadline: false }
    }

    /// Returns whether a watchdog is to let the process live: the runtime runs its tasks, or a
    /// deadline of the shutdown, which is stricter than a watchdog, is ahead.
    pub fn is_alive(&self) -> bool {
        self.stale.is_none() || self.has_deadline
    }
}

/// A callback that a manager calls at an interval, from a thread of its own, until its
/// `wait` has returned: for a watchdog that is fed while the runtime works, and to the last
/// cleanup. Made by [`Context::pulse`](crate::Context::pulse).
///
/// A clone is the same pulse. Dropping it changes nothing; see [`stop`](Self::stop).
#[derive(Clone, Default)]
pub struct Pulse(Arc<AtomicBool>);

impl Pulse {
    /// Creates a pulse that is not stopped: for managers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the pulse: no further call of the callback begins, but one that runs, or is just about
    /// to, goes on. The callback is dropped within an interval, on another thread.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns whether the pulse was [stopped](Self::stop).
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("is_stopped", &self.is_stopped()).finish()
    }
}
