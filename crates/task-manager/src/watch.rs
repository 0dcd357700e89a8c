//! The deadline thread: keeps the deadlines of every shutdown in the process when the runtime cannot.
//!
//! A task that blocks its thread takes tokio's timers with it. So one plain thread per process, asleep until a
//! shutdown has begun, looks at the same deadlines as the tokio timer does, a moment later; where the timer did its
//! work, it finds nothing to do. It holds managers weakly, and reads their clocks, so where a test has paused the time
//! it waits for that time too.
//!
//! It runs no code that could block it: what a deadline asks for (wakers, aborts, log lines), and the drop of a
//! manager that ends up here, goes to `courier.rs`.

use std::{
    io::{self, Write},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use crate::{alarm::Alarm, courier, plan::Tick, rt::HAS_OWN_THREADS, shared::Shared};

/// How much later than the timer the thread looks: the timer has first call.
const AFTER_TIMER: Duration = Duration::from_millis(20);
/// How much later, in real time, where a test has paused the clock: there time leaps to a deadline, and a timer that is
/// about to fire on a busy machine must not find its work done by another thread.
const AFTER_LEAP: Duration = Duration::from_millis(500);
/// The least time between two looks.
const BREATH: Duration = Duration::from_millis(1);
/// How long stderr, and then the exit handlers of the C library, may take at a hard exit.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A manager that is shutting down.
struct Watched {
    alarm: Arc<Alarm>,
    shared: Weak<Shared>,
    /// On a paused clock, since when which deadline has passed.
    overdue: Option<(Option<Tick>, Instant)>,
}

impl Watched {
    /// Returns how long the thread may sleep on this manager's account: zero if a deadline is to be kept now.
    fn sleeps(&mut self) -> Option<Duration> {
        let sleep = self.alarm.sleeps_or_leaves(AFTER_TIMER)?;
        if !sleep.is_zero() || !self.alarm.is_clock_paused() || self.alarm.delivery.is_stuck() {
            return Some(sleep);
        }
        let next = self.alarm.next();
        let (_, since) = *match &mut self.overdue {
            Some(overdue) if overdue.0 == next => overdue,
            overdue => overdue.insert((next, Instant::now())),
        };
        Some(AFTER_LEAP.saturating_sub(since.elapsed()))
    }
}

#[derive(Default)]
struct Watch {
    managers: Mutex<Vec<Watched>>,
    /// Some deadline is new or has changed.
    changed: Condvar,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// Starts the thread, once per process.
pub(crate) fn start() -> io::Result<()> {
    if !HAS_OWN_THREADS {
        return Ok(());
    }
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*started {
        courier::start()?;
        let watch = WATCH.get_or_init(Watch::default);
        thread::Builder::new().name("task-deadlines".into()).spawn(move || watch.run())?;
        *started = true;
    }
    Ok(())
}

/// Has the thread watch a manager until its report is made, and taken.
pub(crate) fn register(shared: &Arc<Shared>) {
    if let Some(watch) = WATCH.get() {
        let (alarm, shared) = (Arc::clone(&shared.alarm), Arc::downgrade(shared));
        let watched = Watched { alarm, shared, overdue: None };
        watch.lock().push(watched);
        watch.changed.notify_one();
    }
}

/// Has the thread look at its deadlines again.
pub(crate) fn nudge() {
    if let Some(watch) = WATCH.get() {
        // The lock orders this after the thread's look at the deadlines, or before its sleep.
        drop(watch.lock());
        watch.changed.notify_one();
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut managers = self.lock();
        loop {
            let mut shortest = Duration::MAX;
            let mut due = Vec::new();
            managers.retain_mut(|watched| {
                let Some(sleep) = watched.sleeps() else { return false };
                if sleep.is_zero() {
                    due.extend(watched.shared.upgrade());
                }
                shortest = shortest.min(sleep);
                watched.shared.strong_count() > 0
            });
            if !due.is_empty() {
                drop(managers);
                due.into_iter().for_each(keep_deadlines);
                thread::sleep(BREATH);
                managers = self.lock();
            } else if shortest == Duration::MAX {
                managers = self.changed.wait(managers).unwrap_or_else(PoisonError::into_inner);
            } else {
                let waited = self.changed.wait_timeout(managers, shortest);
                managers = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

fn keep_deadlines(shared: Arc<Shared>) {
    if shared.alarm.is_hard_exit_due() {
        hard_exit(&shared);
    }
    for _ in 0..shared.alarm.delivery.send_for_help() {
        let shared = Arc::clone(&shared);
        courier::send(Box::new(move || shared.alarm.delivery.help()));
    }
    let mut state = shared.lock();
    let now = shared.now();
    let work = shared.advance(&mut state, now);
    drop(state);
    courier::send(Box::new(move || {
        if let Some(mut work) = work {
            let news = std::mem::take(&mut work.news);
            shared.perform(work);
            let state = shared.lock();
            let now = shared.now();
            let news = shared.drive_quietly(state, now, news);
            if !news.is_empty() {
                let shared = Arc::clone(&shared);
                courier::send_news(Box::new(move || shared.tell(news)));
            }
        }
    }));
}

/// Ends the process, with a line on stderr, unless that blocks; by an abort, should the exit block as well.
fn hard_exit(shared: &Shared) {
    let Some(code) = shared.settings.hard_exit else { return };
    let (name, names) = (&shared.name, shared.living_names().join(", "));
    let line = format!(
        "{name}: hard exit with code {code}: the shutdown did not end in time; alive: {names}\n"
    );
    let _ = thread::Builder::new().spawn(move || io::stderr().write_all(line.as_bytes()));
    thread::sleep(LAST_WORDS);
    let _ = thread::Builder::new().spawn(move || process::exit(code.into()));
    thread::sleep(LAST_WORDS);
    process::abort();
}
