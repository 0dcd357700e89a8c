//! The heartbeat: a plain thread measures how long runtimes take to run a task that was just
//! spawned.
//!
//! A runtime whose threads are all blocked cannot report that. If it is the server's own, the
//! server cannot respond either; the thread still logs the stall, and counts it for later scrapes.
//! If it is another one, `/livez` reports the stall while it lasts.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

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
    state: Mutex<State>,
}

/// The state of the current beat and the results of earlier ones.
#[derive(Debug, Default)]
struct State {
    /// How long the current beat has waited to be run; `None` if there is none.
    ///
    /// It is a sum of the thread's sleeps, each counted for no more than about its intended length:
    /// while the process was stopped, or the machine suspended, the runtime has not stalled.
    waiting: Option<Duration>,
    /// How long the last beat waited.
    delay: Duration,
    stalls: u64,
}

impl RuntimeMonitor {
    pub(crate) fn new(name: String, stall_timeout: Duration) -> Self {
        Self { name, stall_timeout, state: Mutex::default() }
    }

    /// Returns how long the runtime has stalled, if it has.
    pub(crate) fn stalled(&self) -> Option<Duration> {
        self.lock().waiting.filter(|waiting| *waiting >= self.stall_timeout)
    }

    /// Returns how long the runtime takes to run a task that was just spawned, and the number of
    /// stalls.
    pub(crate) fn figures(&self) -> (Duration, u64) {
        let state = self.lock();
        (state.waiting.unwrap_or_default().max(state.delay), state.stalls)
    }

    /// Spawns a beat, unless the last one has not been run. That one has now waited `slept` longer.
    fn tick(self: &Arc<Self>, runtime: &Handle, slept: Duration) {
        let mut state = self.lock();
        let Some(waited) = state.waiting else {
            state.waiting = Some(Duration::ZERO);
            drop(state);
            // A runtime that was shut down drops the task at once, so it never stalls.
            let beat = Beat { monitor: Arc::clone(self), spawned: Instant::now() };
            runtime.spawn(async move { drop(beat) });
            return;
        };
        let waiting = waited + slept;
        state.waiting = Some(waiting);
        let has_stalled = waited < self.stall_timeout && waiting >= self.stall_timeout;
        state.stalls += u64::from(has_stalled);
        // Logged without the lock, since a log sink may block, and `/livez` takes the lock.
        drop(state);
        if has_stalled {
            tracing::error!(
                runtime = self.name,
                "no spawned task has run for {waiting:.1?}: threads are blocked or overloaded"
            );
        }
    }

    /// Ends the current beat, on the monitored runtime.
    fn beat_ended(&self, delay: Duration) {
        let mut state = self.lock();
        let waited = state.waiting.take();
        state.delay = delay;
        drop(state);
        if let Some(waited) = waited.filter(|waited| *waited >= self.stall_timeout) {
            tracing::warn!(runtime = self.name, "spawned tasks run again after {waited:.1?}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content of a spawned task that does nothing. Its drop ends the beat, whether the task was
/// run or dropped unpolled.
struct Beat {
    monitor: Arc<RuntimeMonitor>,
    spawned: Instant,
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.monitor.beat_ended(self.spawned.elapsed());
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
