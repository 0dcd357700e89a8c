//! The deadline thread: keeps the deadlines of every shutdown in the process when the runtime cannot.
//!
//! A task that blocks its thread takes tokio's timers with it. So one plain thread per process, asleep until a
//! shutdown has begun, looks at the same deadlines as the tokio timer does, a moment later; where the timer did its
//! work, it finds nothing to do. It holds managers weakly, and reads their clocks, so where a test has paused the time
//! it waits for that time too.
//!
//! It runs no code that could block it: what a deadline asks for (wakers, aborts, log lines) goes to `courier.rs`.

use std::{
    io, process,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    thread,
    time::Duration,
};

use task_core::Step;

use crate::{courier, shared::Shared};

/// How much later than the timer the thread looks: the timer has first call.
const AFTER_TIMER: Duration = Duration::from_millis(20);
/// The least time between two looks.
const BREATH: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Watch {
    managers: Mutex<Vec<Weak<Shared>>>,
    /// Some deadline is new or has changed.
    changed: Condvar,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// Starts the thread, once per process.
pub(crate) fn start() -> io::Result<()> {
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

/// Has the thread watch a manager until its report is made.
pub(crate) fn register(shared: &Arc<Shared>) {
    if let Some(watch) = WATCH.get() {
        watch.lock().push(Arc::downgrade(shared));
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
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut managers = self.lock();
        loop {
            let mut next: Option<Duration> = None;
            let mut due = Vec::new();
            managers.retain(|manager| {
                let Some(shared) = manager.upgrade() else { return false };
                match shared.watched_until() {
                    Some(Duration::ZERO) => due.push(shared),
                    Some(left) => next = Some(next.map_or(left, |next| next.min(left))),
                    None => return false,
                }
                true
            });
            if !due.is_empty() {
                drop(managers);
                for shared in due {
                    shared.keep_deadlines();
                }
                thread::sleep(BREATH);
                managers = self.lock();
                continue;
            }
            managers = match next {
                Some(left) => {
                    self.changed
                        .wait_timeout(managers, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.changed.wait(managers).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Shared {
    /// Returns how long the thread may sleep on this manager's account; `None` once it need not watch it any more.
    fn watched_until(&self) -> Option<Duration> {
        let now = self.now();
        let deadline = self.alarm.due().map(|due| due.saturating_add(AFTER_TIMER));
        let deadline = deadline.into_iter().chain(self.hard_exit_at()).min();
        match deadline {
            Some(at) => Some(at.saturating_sub(now)),
            None if self.report.get().is_some() => None,
            // No limit at all: the next nudge tells.
            None => Some(Duration::from_secs(3_600)),
        }
    }

    fn keep_deadlines(self: &Arc<Self>) {
        if self.hard_exit_at().is_some_and(|at| at <= self.now()) {
            self.hard_exit();
        }
        let mut state = self.lock();
        if let Some(work) = self.advance(&mut state) {
            drop(state);
            let shared = Arc::clone(self);
            courier::send(Box::new(move || {
                let mut work = work;
                let news = std::mem::take(&mut work.news);
                shared.perform(work);
                shared.alarm.ring(&shared);
                shared.drive(shared.lock(), news);
            }));
        }
    }

    /// Returns when the process ends for want of anybody to take the report: if so configured, 1 s after the budget,
    /// unless the shutdown is over and nobody waits for it.
    fn hard_exit_at(&self) -> Option<Duration> {
        self.settings.hard_exit?;
        let is_over = self.report.get().is_some();
        if is_over && self.waiting.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            return None;
        }
        let state = self.lock();
        let end = state.machine.plan()?.end?;
        Some(end.saturating_add(Duration::from_secs(1)))
    }

    fn hard_exit(&self) {
        let Some(code) = self.settings.hard_exit else { return };
        let names = match self.report.get() {
            Some(report) => format!("{report}"),
            None => self.stuck_names(),
        };
        let step = self.lock().machine.step();
        let what = match step {
            Step::Ended => "nobody could take the report",
            _ => "the shutdown did not end",
        };
        let line = format!(
            "{}: hard exit with code {code}: {what} within its budget: {names}\n",
            self.name
        );
        // On threads of their own: stderr may block, and so may the C library's exit handlers.
        let _ = thread::Builder::new().spawn(move || {
            let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
        });
        thread::sleep(Duration::from_millis(50));
        let _ = thread::Builder::new().spawn(move || process::exit(code.into()));
        thread::sleep(Duration::from_millis(200));
        process::abort();
    }

    fn stuck_names(&self) -> String {
        let state = self.lock();
        let living = state
            .tasks
            .iter()
            .map(|(_, entry)| entry)
            .chain(&state.cleanup)
            .chain(&state.abandoned);
        let names: Vec<String> = living.take(20).map(|entry| entry.name.to_string()).collect();
        names.join(", ")
    }
}
