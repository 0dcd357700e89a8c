//! A pulse: a callback that is called at an interval, with whether the runtime works.
//!
//! The deadline thread decides when, so that a beat also proves that the deadlines are kept. It
//! runs nothing of the user's, and spawns nothing: that is done by a job on a thread for pulses, of
//! which each pulse has at most one at a time.
//!
//! A beat of a runtime that works comes at the instant at which a task that was spawned for it has
//! run, and not at the end of the interval: a watchdog is then fed for the last time before the
//! runtime was blocked.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use task_core::scope::{PulseFn, Receiver, RuntimeProbe, Sender, channel, discard};
use task_core::{Beat, Panic, Pulse};

use super::deadline_thread::Timer;
use super::{Alarm, deadline_thread, offload};

/// How many pulses a group may have.
pub(crate) const MAX_PULSES: usize = 8;
const MIN_INTERVAL: Duration = Duration::from_millis(10);
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3_600);

/// How many pulses there are in the process.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// The task of a pulse, whose group may be gone.
pub(crate) trait PulseOwner: Send + Sync {
    /// Returns whether the group is gone.
    fn is_gone(&self) -> bool;

    /// Returns what a beat says, but for whether the runtime is stale. `None` if the group is gone.
    fn beat(&self) -> Option<Beat>;

    /// Records that the callback has panicked.
    fn panicked(&self, panic: Panic);
}

pub(crate) struct PulseTimer {
    handle: Pulse,
    interval: Duration,
    alarm: Arc<Alarm>,
    owner: Box<dyn PulseOwner>,
    probe: Arc<RuntimeProbe>,
    state: Mutex<State>,
    /// `None` once the pulse is over.
    callback: Mutex<Option<PulseFn>>,
}

struct State {
    last: Instant,
    next: Instant,
    /// What the job has to do next.
    todo: Todo,
    /// Whether there is a job.
    has_job: bool,
    /// For how long the runtime has been stale.
    stale: Option<Duration>,
}

#[derive(Default)]
struct Todo {
    /// An interval is over, of which that long counts.
    interval: Option<Duration>,
    /// The task that was spawned has run.
    has_run: bool,
    /// Someone waits for a beat, and until the sender is dropped.
    asked: Vec<Sender<()>>,
    is_over: bool,
}

impl PulseTimer {
    /// Makes a pulse, and the threads that call it.
    pub(crate) fn new(
        interval: Duration,
        alarm: &Arc<Alarm>,
        owner: Box<dyn PulseOwner>,
        callback: PulseFn,
    ) -> io::Result<Arc<Self>> {
        deadline_thread::start()?;
        let living = LIVING.fetch_add(1, Ordering::SeqCst) + 1;
        let now = Instant::now();
        let timer = Arc::new_cyclic(|timer: &Weak<Self>| {
            let timer = timer.clone();
            let probe = RuntimeProbe::new(move |_, _| {
                // On the runtime: the job does the rest.
                if let Some(timer) = timer.upgrade() {
                    timer.has_to(|todo| todo.has_run = true);
                }
            });
            Self {
                handle: Pulse::new(),
                interval: interval.clamp(MIN_INTERVAL, MAX_INTERVAL),
                alarm: Arc::clone(alarm),
                owner,
                probe,
                state: Mutex::new(State {
                    last: now,
                    next: now,
                    todo: Todo::default(),
                    has_job: false,
                    stale: None,
                }),
                callback: Mutex::new(Some(callback)),
            }
        });
        offload::start_for_pulses(living)?;
        Ok(timer)
    }

    /// Starts the calls.
    pub(crate) fn start(self: &Arc<Self>) {
        deadline_thread::add_timer(Arc::clone(self) as Arc<dyn Timer>);
    }

    pub(crate) fn handle(&self) -> &Pulse {
        &self.handle
    }

    /// Asks for a beat now. The receiver learns when it is over, by the loss of its sender.
    pub(crate) fn ask(self: &Arc<Self>) -> Receiver<()> {
        let (sender, is_over) = channel();
        self.has_to(|todo| todo.asked.push(sender));
        is_over
    }

    /// Adds to what the job has to do, and starts one if there is none.
    fn has_to(self: &Arc<Self>, add: impl FnOnce(&mut Todo)) {
        let mut state = lock(&self.state);
        add(&mut state.todo);
        if !std::mem::replace(&mut state.has_job, true) {
            drop(state);
            let timer = Arc::clone(self);
            offload::pulse(Box::new(move || timer.run()));
        }
    }

    /// The job: does what is to be done until there is nothing.
    fn run(self: Arc<Self>) {
        loop {
            let mut state = lock(&self.state);
            let Todo { interval, mut has_run, asked, is_over } = std::mem::take(&mut state.todo);
            if interval.is_none() && !has_run && asked.is_empty() && !is_over {
                state.has_job = false;
                return;
            }
            let mut stale = state.stale;
            drop(state);
            if is_over {
                let callback = lock(&self.callback).take();
                discard(callback);
                continue;
            }
            let mut is_due = has_run || !asked.is_empty();
            if let Some(slept) = interval.filter(|_| !has_run) {
                match self.spawn(slept) {
                    Ok(()) => {}
                    Err(Some(waited)) => {
                        stale = Some(waited);
                        is_due = true;
                    }
                    // There is no runtime yet that could be blocked.
                    Err(None) => {
                        has_run = true;
                        is_due = true;
                    }
                }
            }
            let stale = stale.filter(|_| !has_run);
            lock(&self.state).stale = stale;
            if is_due {
                self.call(stale);
            }
            drop(asked);
        }
    }

    /// Spawns a task on the runtime, unless the last one has not run.
    fn spawn(&self, slept: Duration) -> Result<(), Option<Duration>> {
        let clock = self.alarm.clock.get().ok_or(None)?;
        let task = self.probe.look(slept).map_err(Some)?;
        drop(clock.handle.spawn(task));
        Ok(())
    }

    fn call(&self, stale: Option<Duration>) {
        let Some(mut beat) = self.owner.beat().filter(|_| !self.is_over()) else { return };
        beat.stale = stale;
        let mut callback = lock(&self.callback);
        let Some(call) = &mut *callback else { return };
        if let Err(panic) = Panic::catch(|| call(beat)) {
            self.handle.stop();
            let ended = callback.take();
            drop(callback);
            discard(ended);
            self.owner.panicked(panic);
        }
    }

    /// Returns whether no further beat begins.
    fn is_over(&self) -> bool {
        self.handle.is_stopped() || self.alarm.is_left()
    }
}

impl Timer for PulseTimer {
    fn next(&self, _now: Instant) -> Option<Instant> {
        (!self.is_over() && !self.owner.is_gone()).then(|| lock(&self.state).next)
    }

    fn due(self: Arc<Self>) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        // A longer sleep means that the process was stopped, or the machine asleep.
        let slept = now.saturating_duration_since(state.last).min(2 * self.interval);
        (state.last, state.next) = (now, now + self.interval);
        drop(state);
        self.has_to(|todo| {
            todo.interval = Some(todo.interval.unwrap_or_default().saturating_add(slept));
        });
    }

    /// The job takes the reference along: what it drops is the user's, or the last reference to the
    /// runtime.
    fn over(self: Arc<Self>) {
        self.has_to(|todo| todo.is_over = true);
    }
}

impl Drop for PulseTimer {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// These belong to threads that the schedule tests do not have.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
