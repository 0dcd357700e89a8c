//! Finds out whether a runtime runs what is spawned on it.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Measures how long a runtime takes to run a task that was just spawned on it, from a thread
/// outside of it: a runtime whose threads are all blocked cannot say so itself.
///
/// It knows no runtime: the caller spawns what [`look`](Self::look) returns, and calls that again
/// at an interval.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::scope::RuntimeProbe;
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// let probe = RuntimeProbe::new(|waited, _delay| assert_eq!(waited, Duration::from_secs(3)));
/// runtime.spawn(probe.look(Duration::ZERO).unwrap());
/// // One task at a time: this runtime has not run it for three seconds.
/// assert_eq!(probe.look(Duration::from_secs(1)).unwrap_err(), Duration::from_secs(1));
/// assert_eq!(probe.look(Duration::from_secs(2)).unwrap_err(), Duration::from_secs(3));
///
/// runtime.block_on(async { tokio::task::yield_now().await });
/// assert_eq!(probe.waiting(), None);
/// ```
pub struct RuntimeProbe {
    /// How long the task that was spawned last has waited to be run; `None` if it was run.
    ///
    /// It is a sum of the caller's sleeps, of which each should count for no more than about its
    /// intended length: while the process was stopped, or the machine asleep, the runtime has not
    /// stalled.
    waiting: Mutex<Option<Duration>>,
    has_run: Box<dyn Fn(Duration, Duration) + Send + Sync>,
}

impl RuntimeProbe {
    /// Creates a probe. `has_run` is called on the runtime for each task that has run, with how
    /// long it had waited by the caller's sleeps, and by the clock. It must not block.
    pub fn new(has_run: impl Fn(Duration, Duration) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(None), has_run: Box::new(has_run) })
    }

    /// Returns the task to spawn next, if the last one has run; a runtime that was shut down drops
    /// it at once, which counts as run. `slept` is how long the caller has slept since the last
    /// call.
    ///
    /// # Errors
    ///
    /// How long the last task has waited, if it has not run.
    pub fn look(self: &Arc<Self>, slept: Duration) -> Result<ProbeTask, Duration> {
        let mut waiting = self.lock();
        if let Some(waited) = &mut *waiting {
            *waited = waited.saturating_add(slept);
            return Err(*waited);
        }
        *waiting = Some(Duration::ZERO);
        Ok(ProbeTask { probe: Arc::clone(self), made: Instant::now() })
    }

    /// Returns how long the task that was spawned last has waited; `None` if it has run.
    pub fn waiting(&self) -> Option<Duration> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Duration>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RuntimeProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeProbe").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// The task of a [`RuntimeProbe`], which does nothing. Its drop counts, whether it was run or
/// dropped unpolled.
#[derive(Debug)]
#[must_use = "spawn it, or the probe waits for ever"]
pub struct ProbeTask {
    probe: Arc<RuntimeProbe>,
    made: Instant,
}

impl Future for ProbeTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for ProbeTask {
    fn drop(&mut self) {
        let waited = self.probe.lock().take();
        (self.probe.has_run)(waited.unwrap_or_default(), self.made.elapsed());
    }
}
