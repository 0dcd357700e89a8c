//! The deadline thread: keeps the deadlines of every shutdown in the process when the runtime cannot.
//!
//! A task that blocks its thread takes tokio's timers with it. So one plain thread per process, asleep until there
//! is a deadline or a queue of wakers, looks at the same deadlines as the tokio timer does, a moment later; where the timer did its
//! work, it finds nothing to do. It holds managers weakly, and reads their clocks, so where a test has paused the time
//! it waits for that time too. It is started where its refusal is still an error: at the first use of the first manager.
//!
//! To wake it costs more than a shutdown of some tasks does. So it is woken only for what comes before the end of its
//! sleep, and not when a manager has ended: it finds that out by itself, the next time that it looks.
//!
//! It runs no code that could block it: what a deadline asks for (wakers, aborts, log lines), and the drop of a
//! manager that ends up here, goes to `courier.rs`.

use std::{
    io::{self, Write},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{
    group::nesting as link, group::shared::Shared, group::troubles::living_names,
    lifecycle::plan::Tick, rt::HAS_OWN_THREADS, threads::alarm::Alarm, threads::offload as courier,
    threads::panics::discard,
};

/// How much later than the timer the thread looks: the timer has first call.
const AFTER_TIMER: Duration = Duration::from_millis(20);
/// How much later, in real time, where a test has paused the clock: there time leaps to a deadline, and a timer that is
/// about to fire on a busy machine must not find its work done by another thread.
const AFTER_LEAP: Duration = Duration::from_millis(500);
/// The least time between two looks.
const BREATH: Duration = Duration::from_millis(1);
/// How long stderr may take at a hard exit, and then the exit handlers of the C library: much longer than either takes
/// on a busy machine, since an abort has another exit code than the one asked for.
const LAST_WORDS: Duration = Duration::from_millis(200);
const LAST_DEEDS: Duration = Duration::from_secs(1);

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

impl Watched {
    /// The clock may have the last reference to a runtime, and with that go closures of the user's.
    fn discard(self) {
        if let Some(alarm) = Arc::into_inner(self.alarm) {
            courier::send(Box::new(move || discard(alarm)));
        }
    }
}

#[derive(Default)]
struct Watch {
    desk: Mutex<Desk>,
    /// Some deadline comes before the end of the thread's sleep.
    changed: Condvar,
}

#[derive(Default)]
struct Desk {
    managers: Vec<Watched>,
    sleep: Sleep,
}

/// What the thread is at.
#[derive(Default)]
enum Sleep {
    /// It will look at every deadline before it sleeps.
    #[default]
    Awake,
    Until(Instant),
    Endless,
}

impl Sleep {
    fn is_longer_than(&self, sleep: Duration) -> bool {
        match self {
            Self::Awake => false,
            Self::Until(end) => end.saturating_duration_since(Instant::now()) > sleep,
            Self::Endless => true,
        }
    }
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
        let watch = WATCH.get_or_init(Watch::default);
        thread::Builder::new().name("task-deadlines".into()).spawn(move || watch.run())?;
        *started = true;
    }
    Ok(())
}

/// Has the thread watch a manager until its report is made, and taken; a nudge has to follow.
pub(crate) fn register(shared: &Arc<Shared>) {
    let Some(watch) = WATCH.get() else { return };
    let (alarm, shared) = (Arc::clone(&shared.alarm), Arc::downgrade(shared));
    let mut desk = watch.lock();
    let mut gone = Vec::new();
    if desk.managers.len() == desk.managers.capacity() {
        // The thread may sleep for long, and managers come and go meanwhile.
        let leaves = |watched: &mut Watched| {
            watched.alarm.sleeps_or_leaves(AFTER_TIMER).is_none()
                || watched.shared.strong_count() == 0
        };
        gone.extend(desk.managers.extract_if(.., leaves));
    }
    desk.managers.push(Watched { alarm, shared, overdue: None });
    drop(desk);
    discard(gone);
}

/// Has the thread look at a manager's deadlines, unless it will by itself in time.
pub(crate) fn nudge(alarm: &Alarm) {
    let Some(watch) = WATCH.get() else { return };
    // The lock orders this after the thread's look at the deadlines, or before its sleep.
    let desk = watch.lock();
    if alarm.sleeps(AFTER_TIMER).is_some_and(|sleep| desk.sleep.is_longer_than(sleep)) {
        drop(desk);
        watch.changed.notify_one();
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut desk = self.lock();
        loop {
            let mut shortest = Duration::MAX;
            let mut due = Vec::new();
            let leaves = |watched: &mut Watched| {
                let Some(sleep) = watched.sleeps() else { return true };
                if sleep.is_zero() {
                    due.extend(watched.shared.upgrade());
                }
                shortest = shortest.min(sleep);
                watched.shared.strong_count() == 0
            };
            let gone: Vec<_> = desk.managers.extract_if(.., leaves).collect();
            if !gone.is_empty() || !due.is_empty() {
                drop(desk);
                gone.into_iter().for_each(Watched::discard);
                if !due.is_empty() {
                    due.into_iter().for_each(keep_deadlines);
                    thread::sleep(BREATH);
                }
                desk = self.lock();
                continue;
            }
            desk = match Instant::now().checked_add(shortest) {
                Some(end) => {
                    desk.sleep = Sleep::Until(end);
                    let waited = self.changed.wait_timeout(desk, shortest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    desk.sleep = Sleep::Endless;
                    self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner)
                }
            };
            desk.sleep = Sleep::Awake;
        }
    }
}

fn keep_deadlines(shared: Arc<Shared>) {
    if shared.alarm.is_hard_exit_due() {
        hard_exit(&shared);
    }
    for _ in 0..shared.alarm.delivery.send_for_help() {
        let shared = Arc::clone(&shared);
        courier::send_for_help(Box::new(move || shared.alarm.delivery.help()));
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
            let others = link::put_off(Vec::new());
            if !news.is_empty() || !others.is_empty() {
                let shared = Arc::clone(&shared);
                courier::send_news(Box::new(move || {
                    others.into_iter().for_each(|(shared, item)| item.log(&shared));
                    shared.tell(news);
                }));
            }
        }
    }));
}

/// Ends the process, with a line on stderr, unless that blocks; by an abort, should the exit block as well.
fn hard_exit(shared: &Arc<Shared>) {
    let Some(code) = shared.settings.hard_exit else { return };
    let (name, names) = (&shared.name, living_names(shared));
    let alive = if names.is_empty() { "nobody".into() } else { names.join(", ") };
    let what = match shared.report.get() {
        Some(_) => "nobody took the report of the shutdown in time",
        None => "the shutdown did not end in time",
    };
    let line = format!("{name}: hard exit with code {code}: {what}; alive: {alive}\n");
    let (told, is_told) = mpsc::channel();
    let _ = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(line.as_bytes());
        told.send(())
    });
    let _ = is_told.recv_timeout(LAST_WORDS);
    let _ = thread::Builder::new().spawn(move || process::exit(code.into()));
    thread::sleep(LAST_DEEDS);
    process::abort();
}
