//! The deadline thread: keeps the deadlines of every shutdown in the process when the runtime
//! cannot.
//!
//! A task that blocks its thread takes Tokio's timers with it. So one plain thread per process,
//! asleep until there is a deadline, looks at the same deadlines as the Tokio timer does, a moment
//! later; where the timer did its work, it finds nothing to do. It is started where a refusal by
//! the system can still be reported: when the first manager is bound to a runtime.
//!
//! Waking it costs more than shutting down a few tasks. So it is woken only for a deadline
//! before the end of its sleep, and not when a manager has ended: it finds that out by itself, the
//! next time that it looks.
//!
//! It runs no code of the user's, unless the system refuses even the first offload thread. What a
//! deadline asks for, and the drop of a clock that ends up here, goes to [`offload`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use task_core::scope::discard;

use super::{Alarm, offload};
use crate::rt::HAS_OWN_THREADS;

/// How much later than the timer the thread looks: the timer has first call.
const AFTER_TIMER: Duration = Duration::from_millis(20);
/// The least time between two looks at a deadline that stays due.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// How long the thread sleeps if there is no deadline. A clock can represent its end.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A group, as the deadline thread sees it.
pub(crate) trait Deadlines: Send + Sync {
    /// Does what is due. It runs on the deadline thread, so it must not block, and must not drop
    /// the last reference to a group here.
    fn deadline_passed(self: Arc<Self>);
}

/// What the thread does at an instant of the system's clock, which no test pauses.
pub(crate) trait Timer: Send + Sync {
    /// Returns when something is due, at a time that is `now`; `None` once there is nothing any
    /// more. Called under the thread's lock.
    fn next(&self, now: Instant) -> Option<Instant>;

    /// Does what is due, on the deadline thread, so it must not block.
    fn due(self: Arc<Self>);

    /// Called once nothing is due any more, on the deadline thread: what drops the user's values
    /// goes elsewhere.
    fn over(self: Arc<Self>);
}

/// A manager with a deadline.
struct Watched {
    alarm: Arc<Alarm>,
    owner: Weak<dyn Deadlines>,
}

impl Watched {
    /// The clock may have the last reference to a runtime, and with that go closures of the user's.
    fn discard(self) {
        if let Some(alarm) = Arc::into_inner(self.alarm) {
            offload::run(Box::new(move || discard(alarm)));
        }
    }
}

#[derive(Default)]
struct DeadlineThread {
    list: Mutex<List>,
    /// Some deadline comes before the end of the thread's sleep.
    changed: Condvar,
}

#[derive(Default)]
struct List {
    has_thread: bool,
    managers: Vec<Watched>,
    timers: Vec<Arc<dyn Timer>>,
    /// Until when the thread sleeps. While it is awake, it will look at every deadline anyway.
    sleeps_until: Option<Instant>,
}

static THREAD: OnceLock<DeadlineThread> = OnceLock::new();

/// Starts the thread, once per process.
pub(crate) fn start() -> io::Result<()> {
    if !HAS_OWN_THREADS {
        return Ok(());
    }
    let thread = THREAD.get_or_init(DeadlineThread::default);
    let mut list = thread.lock();
    if !list.has_thread {
        thread::Builder::new().name("task-deadlines".into()).spawn(|| thread.run())?;
        list.has_thread = true;
    }
    Ok(())
}

/// Makes the thread watch a manager until its report is made, and taken. A nudge has to follow.
pub(crate) fn register(alarm: &Arc<Alarm>, owner: Weak<dyn Deadlines>) {
    let Some(thread) = THREAD.get() else { return };
    let mut list = thread.lock();
    // The thread may sleep for long, and managers come and go meanwhile.
    let is_full = list.managers.len() == list.managers.capacity();
    let gone = if is_full { list.remove_ended() } else { Vec::new() };
    list.managers.push(Watched { alarm: Arc::clone(alarm), owner });
    drop(list);
    discard(gone);
}

/// Wakes the thread to look at a manager's deadlines, unless it will by itself in time.
pub(crate) fn nudge(alarm: &Alarm) {
    let Some(thread) = THREAD.get() else { return };
    // The lock orders this after the thread's look at the deadlines, or before its sleep.
    let list = thread.lock();
    let sleep = alarm.sleep(AFTER_TIMER);
    let left = |until: Instant| until.saturating_duration_since(Instant::now());
    let is_sooner = |until| sleep.is_some_and(|sleep| sleep < left(until));
    if list.sleeps_until.is_some_and(is_sooner) {
        drop(list);
        thread.changed.notify_one();
    }
}

/// Makes the thread keep a timer until nothing is due any more.
pub(crate) fn add_timer(timer: Arc<dyn Timer>) {
    let Some(thread) = THREAD.get() else { return };
    let mut list = thread.lock();
    list.timers.push(timer);
    drop(list);
    thread.changed.notify_one();
}

/// Makes the thread look at its timers, of which one may be due earlier than before.
pub(crate) fn look_again() {
    let Some(thread) = THREAD.get() else { return };
    // The lock orders this after the thread's look, or before its sleep.
    drop(thread.lock());
    thread.changed.notify_one();
}

impl List {
    /// Moves the timers that are due to `due`, and returns those that have ended, and how long the
    /// thread may sleep on account of the others.
    fn look_at_timers(&mut self, due: &mut Vec<Arc<dyn Timer>>) -> (Vec<Arc<dyn Timer>>, Duration) {
        let mut shortest = LONGEST_SLEEP;
        if self.timers.is_empty() {
            return (Vec::new(), shortest);
        }
        let now = Instant::now();
        let has_ended = |timer: &mut Arc<dyn Timer>| {
            let Some(next) = timer.next(now) else { return true };
            let sleep = next.saturating_duration_since(now);
            if sleep.is_zero() {
                due.push(Arc::clone(timer));
            }
            shortest = shortest.min(sleep);
            false
        };
        let ended = self.timers.extract_if(.., has_ended).collect();
        (ended, shortest)
    }

    fn remove_ended(&mut self) -> Vec<Watched> {
        let has_ended = |watched: &mut Watched| {
            let is_over = watched.alarm.sleep_or_leave(AFTER_TIMER).is_none();
            is_over || watched.owner.strong_count() == 0
        };
        self.managers.extract_if(.., has_ended).collect()
    }
}

impl DeadlineThread {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut list = self.lock();
        loop {
            let mut shortest = LONGEST_SLEEP;
            let mut due = Vec::new();
            let leaves = |watched: &mut Watched| {
                let Some(sleep) = watched.alarm.sleep_or_leave(AFTER_TIMER) else { return true };
                if sleep.is_zero() {
                    due.extend(watched.owner.upgrade());
                }
                shortest = shortest.min(sleep);
                watched.owner.strong_count() == 0
            };
            let gone: Vec<_> = list.managers.extract_if(.., leaves).collect();
            let mut due_timers = Vec::new();
            let (ended, sleep) = list.look_at_timers(&mut due_timers);
            shortest = shortest.min(sleep);
            let is_idle = gone.is_empty() && due.is_empty();
            if !is_idle || !ended.is_empty() || !due_timers.is_empty() {
                drop(list);
                gone.into_iter().for_each(Watched::discard);
                let has_deadline = !due.is_empty();
                // First: of a fuse and a hard exit that are both due, the fuse has the stricter
                // clock.
                due_timers.into_iter().for_each(Timer::due);
                due.into_iter().for_each(Deadlines::deadline_passed);
                ended.into_iter().for_each(Timer::over);
                if has_deadline {
                    thread::sleep(MIN_INTERVAL);
                }
                list = self.lock();
                continue;
            }
            list.sleeps_until = Some(Instant::now() + shortest);
            let waited = self.changed.wait_timeout(list, shortest);
            list = waited.unwrap_or_else(PoisonError::into_inner).0;
            list.sleeps_until = None;
        }
    }
}
