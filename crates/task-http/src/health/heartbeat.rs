//! The pulse of runtimes: how long each takes to run a task that was just spawned, measured from a plain thread.
//!
//! A runtime that is wedged cannot say so. Where it is the server's own, it cannot answer either; the thread still logs
//! what happens, and counts it for the time after. Where it is another one, its silence is seen in `/livez` at once.

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

/// The longest time between two beats.
const INTERVAL: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(5);

/// What is known of one runtime.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// How its silence is called in `/livez`.
    pub(crate) name: String,
    threshold: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How long the beat that was sent has not been run. The thread's own sleeps count for no more than they should
    /// have lasted: a process that was stopped, or a machine that was asleep, has not stalled.
    waiting: Option<Duration>,
    /// How long the last beat took.
    delay: Duration,
    stalls: u64,
}

impl Pulse {
    pub(crate) fn new(name: String, threshold: Duration) -> Self {
        Self { name, threshold, state: Mutex::default() }
    }

    /// Returns for how long the runtime has stalled, if it has.
    pub(crate) fn stalled(&self) -> Option<Duration> {
        self.lock().waiting.filter(|waiting| *waiting >= self.threshold)
    }

    /// Returns how long it takes to run a task that was just spawned, and how often that was too long.
    pub(crate) fn figures(&self) -> (Duration, u64) {
        let state = self.lock();
        (state.waiting.unwrap_or_default().max(state.delay), state.stalls)
    }

    /// Sends a beat, unless the last one is still on its way; that has now waited `slept` longer.
    fn tick(self: &Arc<Self>, runtime: &Handle, slept: Duration) {
        let mut state = self.lock();
        let Some(waited) = state.waiting else {
            state.waiting = Some(Duration::ZERO);
            drop(state);
            // A runtime that is gone drops it at once, and so never stalls.
            let beat = Beat { pulse: Arc::clone(self), sent: Instant::now() };
            runtime.spawn(async move { drop(beat) });
            return;
        };
        let waiting = waited + slept;
        state.waiting = Some(waiting);
        let has_stalled = waited < self.threshold && waiting >= self.threshold;
        state.stalls += u64::from(has_stalled);
        drop(state);
        if has_stalled {
            tracing::error!(
                runtime = self.name,
                "for {waiting:.1?}, no task that was spawned has been run: threads are blocked, or there is too much to do"
            );
        }
    }

    fn arrived(&self, delay: Duration) {
        let mut state = self.lock();
        let waited = state.waiting.take();
        state.delay = delay;
        drop(state);
        if let Some(waited) = waited.filter(|waited| *waited >= self.threshold) {
            tracing::warn!(runtime = self.name, "spawned tasks are run again after {waited:.1?}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that does nothing but arrive: run, or dropped.
struct Beat {
    pulse: Arc<Pulse>,
    sent: Instant,
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.pulse.arrived(self.sent.elapsed());
    }
}

/// The thread that sends the beats, until this is dropped.
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
        watched: Vec<(Handle, Arc<Pulse>)>,
        threshold: Duration,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let interval = (threshold / 4).clamp(SHORTEST, INTERVAL);
        let run = move || {
            let mut slept = Duration::ZERO;
            while !stopped.load(Ordering::Acquire) {
                for (runtime, pulse) in &watched {
                    pulse.tick(runtime, slept);
                }
                let begun = Instant::now();
                thread::park_timeout(interval);
                slept = begun.elapsed().min(2 * interval);
            }
        };
        let thread = thread::Builder::new().name("task-http-pulse".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: thread.thread().clone() })
    }
}

impl Drop for Heartbeat {
    /// Does not wait for the thread: it may be writing a log line.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
