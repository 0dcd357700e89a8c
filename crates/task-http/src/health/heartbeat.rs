//! The heartbeat: a plain thread measures how long runtimes take to run a task that was just
//! spawned.
//!
//! A runtime whose threads are all blocked cannot report that. If it is the server's own, the
//! server cannot respond either; the thread still logs the stall, and counts it for later scrapes.
//! If it is another one, `/livez` reports the stall while it lasts.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use task_core::scope::RuntimeProbe;
use tokio::runtime::Handle;

/// The bounds of the time between two beats.
const MAX_INTERVAL: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_millis(5);

/// The measurements of one runtime.
#[derive(Debug)]
pub(crate) struct RuntimeMonitor {
    /// The name of the line in `/livez`, and of the label in metrics.
    pub(crate) name: String,
    stall_timeout: Duration,
    probe: Arc<RuntimeProbe>,
    results: Mutex<Results>,
}

/// The results of the beats so far.
#[derive(Debug, Default)]
struct Results {
    /// How long the last beat that was run waited.
    delay: Duration,
    stalls: u64,
}

impl RuntimeMonitor {
    pub(crate) fn new(name: String, stall_timeout: Duration) -> Arc<Self> {
        Arc::new_cyclic(|monitor: &Weak<Self>| {
            let monitor = monitor.clone();
            let probe = RuntimeProbe::new(move |waited, delay| {
                if let Some(monitor) = monitor.upgrade() {
                    monitor.beat_ended(waited, delay);
                }
            });
            Self { name, stall_timeout, probe, results: Mutex::default() }
        })
    }

    /// Returns how long the runtime has stalled, if it has.
    pub(crate) fn stalled(&self) -> Option<Duration> {
        self.probe.waiting().filter(|waiting| *waiting >= self.stall_timeout)
    }

    /// Returns how long the runtime takes to run a task that was just spawned, and the number of
    /// stalls.
    pub(crate) fn figures(&self) -> (Duration, u64) {
        let results = self.lock();
        (self.probe.waiting().unwrap_or_default().max(results.delay), results.stalls)
    }

    /// Spawns a beat, unless the last one has not been run. That one has now waited `slept` longer.
    fn tick(&self, runtime: &Handle, slept: Duration) {
        let waiting = match self.probe.look(slept) {
            Ok(beat) => return drop(runtime.spawn(beat)),
            Err(waiting) => waiting,
        };
        let waited = waiting.saturating_sub(slept);
        let has_stalled = waited < self.stall_timeout && waiting >= self.stall_timeout;
        self.lock().stalls += u64::from(has_stalled);
        // Logged without the lock, since a log sink may block, and `/livez` takes the lock.
        if has_stalled {
            tracing::error!(
                runtime = self.name,
                "no spawned task has run for {waiting:.1?}: threads are blocked or overloaded"
            );
        }
    }

    /// Ends the current beat, on the monitored runtime.
    fn beat_ended(&self, waited: Duration, delay: Duration) {
        self.lock().delay = delay;
        if waited >= self.stall_timeout {
            tracing::warn!(runtime = self.name, "spawned tasks run again after {waited:.1?}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread of the heartbeat. Dropping this stops the thread.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    stop: Arc<AtomicBool>,
    thread: Thread,
}

impl Heartbeat {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn start(
        monitored: Vec<(Handle, Arc<RuntimeMonitor>)>,
        stall_timeout: Duration,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let interval = (stall_timeout / 4).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let run = move || {
            let mut slept = Duration::ZERO;
            while !stopped.load(Ordering::Acquire) {
                for (runtime, monitor) in &monitored {
                    monitor.tick(runtime, slept);
                }
                let begun = Instant::now();
                thread::park_timeout(interval);
                // A longer sleep means that the process was stopped or the machine suspended.
                slept = begun.elapsed().min(2 * interval);
            }
        };
        let thread = thread::Builder::new().name("task-http-beat".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: thread.thread().clone() })
    }
}

impl Drop for Heartbeat {
    /// Does not join the thread, which may be blocked in a log sink.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
