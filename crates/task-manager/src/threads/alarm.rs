//! When a manager has to look at its state again.
//!
//! Two parties read it: a Tokio timer (`group/timer.rs`), which exists from the first deadline on,
//! so that an idle service has none; and the deadline thread, for the case that the runtime is
//! blocked. The thread reads only this, and calls the group through [`Deadlines`], so that the
//! user's values are dropped elsewhere.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use task_core::scope::Level;

use super::{CallerRuntime, Clock, Deadlines, deadline_thread};
use crate::lifecycle::Tick;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, lock};

#[derive(Default)]
pub(crate) struct Alarm {
    /// Set when the manager is bound to a runtime. Before that there is no deadline.
    pub(crate) clock: OnceLock<Clock>,
    /// Whether the report was taken or the manager dropped: a hard exit has no purpose then.
    is_taken: AtomicBool,
    /// Whether a `wait` has returned the report, or the manager was dropped: pulses end then.
    is_left: AtomicBool,
    times: Mutex<Times>,
    /// Bumped when the timer has to look at `times` again.
    pub(crate) changed: Level,
    has_timer: AtomicBool,
    /// Whether the deadline thread has this manager on its list.
    is_watched: AtomicBool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the state machine has something to do.
    pub(crate) next: Option<Tick>,
    /// When the process ends unless the report was taken.
    pub(crate) hard_exit: Option<Tick>,
    /// Whether the report is made.
    pub(crate) is_over: bool,
}

impl Alarm {
    pub(crate) fn times(&self) -> MutexGuard<'_, Times> {
        lock(&self.times)
    }

    /// Sets the next deadlines. Called under the manager's lock, so that older deadlines never
    /// overwrite newer ones.
    pub(crate) fn set(&self, times: Times) {
        *self.times() = times;
    }

    /// Makes changed deadlines known to the timer and the deadline thread. Called without the
    /// manager's lock. Returns whether the caller has to start the timer.
    pub(crate) fn publish(self: &Arc<Self>, owner: impl FnOnce() -> Weak<dyn Deadlines>) -> bool {
        let has_deadline = self.times().next.is_some();
        let starts_timer = has_deadline
            && self.clock.get().is_some()
            && !self.has_timer.swap(true, Ordering::SeqCst);
        self.changed.bump();
        // A shutdown may end in the very step that begins it, and leave a hard exit alone.
        let is_to_watch = has_deadline || self.hard_exit_at().is_some();
        if is_to_watch && self.clock.get().is_some() {
            if !self.is_watched.swap(true, Ordering::SeqCst) {
                deadline_thread::register(self, owner());
            }
            deadline_thread::nudge(self);
        }
        starts_timer
    }

    /// As [`sleep`](Self::sleep), for the deadline thread, which forgets a manager that it need
    /// not watch.
    pub(crate) fn sleep_or_leave(&self, later: Duration) -> Option<Duration> {
        self.sleep(later).or_else(|| {
            self.is_watched.store(false, Ordering::SeqCst);
            // A deadline that is set from now on registers again; one set before is seen here.
            let sleep = self.sleep(later)?;
            (!self.is_watched.swap(true, Ordering::SeqCst)).then_some(sleep)
        })
    }

    /// Returns how long the deadline thread may sleep on this manager's account, if it looks
    /// `later` than the timer; `None` if it need not watch.
    pub(crate) fn sleep(&self, later: Duration) -> Option<Duration> {
        let next = self.times().next.map(|next| next.saturating_add(later));
        let next = next.into_iter().chain(self.hard_exit_at()).min()?;
        let clock = self.clock.get()?;
        let sleep = next.saturating_sub(clock.now(CallerRuntime::Other));
        // A paused clock leaps to a deadline. The timer alone keeps it then, in virtual time.
        (!sleep.is_zero() || !clock.is_paused()).then_some(sleep)
    }

    /// Records that the report was taken, or that there is no owner left to take it.
    pub(crate) fn set_taken(&self) {
        self.is_taken.store(true, Ordering::SeqCst);
    }

    /// Records that a `wait` returns the report, or that there is no owner left to wait.
    pub(crate) fn set_left(&self) {
        self.is_left.store(true, Ordering::SeqCst);
    }

    /// Returns whether the group is over for everyone: its pulses end.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::SeqCst) && self.times().is_over
    }

    pub(crate) fn is_hard_exit_due(&self) -> bool {
        let now = self.clock.get().map(|clock| clock.now(CallerRuntime::Other));
        self.hard_exit_at().is_some_and(|at| now.is_some_and(|now| at <= now))
    }

    /// A shutdown that is over keeps its hard exit until its report is taken.
    fn hard_exit_at(&self) -> Option<Tick> {
        let times = *self.times();
        let is_done = times.is_over && self.is_taken.load(Ordering::SeqCst);
        times.hard_exit.filter(|_| !is_done)
    }
}
