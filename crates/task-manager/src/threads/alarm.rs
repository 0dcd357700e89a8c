//! When the manager has to look at its state again, and the tokio task that then does.
//!
//! The task exists from the first deadline on, so an idle service has no timer of ours. Beside it the deadline thread
//! (`watch.rs`) keeps the same deadlines for the case that the runtime is blocked; it sees this and nothing of the
//! group, so that no value of the user's is ever dropped there.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, OnceLock, PoisonError},
    task::Poll,
    time::Duration,
};

use task_core::scope::Level;

use crate::{
    delivery::Delivery,
    group::shared::Shared,
    lifecycle::plan::Tick,
    rt,
    sync::{AtomicBool, Mutex, MutexGuard, Ordering},
    threads::clock::Clock,
    threads::deadline_thread as watch,
};

#[derive(Default)]
pub(crate) struct Alarm {
    pub(crate) clock: OnceLock<Clock>,
    /// Whether somebody took the report, or the manager was dropped: nobody is left whom a hard exit would help.
    is_taken: AtomicBool,
    /// Here, so that the deadline thread sees whether it moves.
    pub(crate) delivery: Delivery,
    times: Mutex<Times>,
    changed: Level,
    /// Whether the timer's task has to hear of a change: one to something later it finds when it wakes.
    is_urgent: AtomicBool,
    /// Whether the timer's task was started.
    is_running: AtomicBool,
    /// Whether the deadline thread has this manager on its list.
    is_watched: AtomicBool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the state machine has something to do.
    pub(crate) next: Option<Tick>,
    /// When the process ends for want of anybody to take the report.
    pub(crate) hard_exit: Option<Tick>,
    /// Whether the report is made.
    pub(crate) is_over: bool,
}

impl Alarm {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the next deadlines. Called under the manager's lock, so that older deadlines never overwrite newer ones.
    pub(crate) fn set(&self, times: Times) {
        let before = std::mem::replace(&mut *self.times(), times);
        let is_sooner = times.next.is_some_and(|next| before.next.is_none_or(|old| next < old));
        if is_sooner || times.is_over {
            self.is_urgent.store(true, Ordering::SeqCst);
        }
    }

    /// Makes the change of a deadline known. Called outside the manager's lock.
    pub(crate) fn ring(&self, shared: &Arc<Shared>) {
        let has_deadline = self.times().next.is_some();
        if has_deadline
            && !self.is_running.swap(true, Ordering::SeqCst)
            && let Some(clock) = self.clock.get()
        {
            clock.handle().spawn(run(Arc::clone(shared)));
        }
        if self.is_urgent.swap(false, Ordering::SeqCst) {
            self.changed.bump();
        }
        if has_deadline || self.delivery.patience().is_some() {
            self.watch(shared);
        }
    }

    /// Has the deadline thread look at this manager.
    pub(crate) fn watch(&self, shared: &Arc<Shared>) {
        // Before the first use inside a runtime there is no deadline, and perhaps no thread.
        if self.clock.get().is_none() {
            return;
        }
        if !self.is_watched.swap(true, Ordering::SeqCst) {
            watch::register(shared);
        }
        watch::nudge(self);
    }

    /// As [`sleeps`](Self::sleeps), for the deadline thread, which forgets a manager that it need not watch.
    pub(crate) fn sleeps_or_leaves(&self, later: Duration) -> Option<Duration> {
        self.sleeps(later).or_else(|| {
            self.is_watched.store(false, Ordering::SeqCst);
            // Whoever needs it from now on registers again; whoever did before that is seen here.
            let sleep = self.sleeps(later)?;
            (!self.is_watched.swap(true, Ordering::SeqCst)).then_some(sleep)
        })
    }

    /// Returns how long the deadline thread may sleep on this manager's account, if it looks `later` than the timer;
    /// `None` once it need not watch it any more.
    pub(crate) fn sleeps(&self, later: Duration) -> Option<Duration> {
        let times = *self.times();
        let next = times.next.map(|next| next.saturating_add(later));
        // Without any limit the next change tells.
        let next = next.into_iter().chain(self.hard_exit_at()).min();
        let sleep = next.and_then(|at| Some(at.saturating_sub(self.clock.get()?.now())));
        sleep.into_iter().chain(self.delivery.patience()).min()
    }

    /// Takes note that nobody is left who has to take the report.
    pub(crate) fn set_taken(&self) {
        self.is_taken.store(true, Ordering::SeqCst);
    }

    /// Returns the next deadline, that of the hard exit included.
    pub(crate) fn next(&self) -> Option<Tick> {
        let next = self.times().next;
        next.into_iter().chain(self.hard_exit_at()).min()
    }

    pub(crate) fn is_clock_paused(&self) -> bool {
        self.clock.get().is_some_and(Clock::is_paused)
    }

    pub(crate) fn is_hard_exit_due(&self) -> bool {
        let now = self.clock.get().map(Clock::now);
        self.hard_exit_at().is_some_and(|at| now.is_some_and(|now| at <= now))
    }

    /// A shutdown that is over keeps its hard exit until its report is taken.
    fn hard_exit_at(&self) -> Option<Tick> {
        let times = *self.times();
        let is_done = times.is_over && self.is_taken.load(Ordering::SeqCst);
        times.hard_exit.filter(|_| !is_done)
    }
}

/// Drives the manager at each deadline until its report is made.
async fn run(shared: Arc<Shared>) {
    let alarm = &shared.alarm;
    let Some(clock) = alarm.clock.get() else { return };
    loop {
        let mut changed = alarm.changed.reached(alarm.changed.get() + 1);
        let Times { next, is_over, .. } = *alarm.times();
        if is_over {
            return;
        }
        let mut sleep = pin!(next.and_then(|next| clock.instant(next)).map(rt::sleep_until));
        poll_fn(|cx| {
            if pin!(&mut changed).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            sleep.as_mut().as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
        })
        .await;
        let state = shared.lock();
        let now = shared.now();
        shared.drive(state, now, Vec::new());
    }
}
