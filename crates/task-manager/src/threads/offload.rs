//! Threads that run jobs which may block: the wakers, aborts and log lines of the deadline thread.
//!
//! A thread is started when a job arrives and no thread is idle, up to a limit, because a job may
//! block for ever. A process whose runtime is never blocked has none, unless a manager has a hard
//! exit: [`start`] then makes the first one in advance, since the deadline thread, which ends the
//! process, must not be held up. Without one, and if the system refuses even the first thread, the
//! deadline thread runs the job itself: it may then be held up, but the deadline is kept.
//!
//! Log lines have a thread of their own. A sink that blocks does so for every line, and would
//! otherwise take all threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use task_core::scope::{catch, discard};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

static JOBS: Pool = Pool::new("task-offload", 32, usize::MAX);
/// At most this many groups wait behind a sink that blocks; the lines of further ones wait for
/// another thread of the group.
static LOG: Pool = Pool::new("task-log", 1, 1_024);
/// Ends waits for log lines, in the order in which they began. It runs nothing that may block.
static LOG_LIMIT: Pool = Pool::new("task-log-limit", 1, 1_024);

/// Calls the pulses, one job each at a time. What blocks the threads above must not keep a watchdog
/// from being fed.
static PULSE: Pool = Pool::new("task-pulse", 16, usize::MAX);

/// A queue of jobs and the threads that run them.
struct Pool {
    name: &'static str,
    max_threads: usize,
    max_queued: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    idle: usize,
    threads: usize,
}

/// Makes sure that there is a thread, so that [`run`] never runs a job on the caller's.
pub(crate) fn start() -> io::Result<()> {
    JOBS.start_first()
}

/// Runs a job soon on another thread, or on this one if the system grants no thread.
pub(crate) fn run(job: Job) {
    if let Some(job) = JOBS.push(job) {
        let _ = catch(job);
    }
}

/// Runs a job that writes log lines, in order with other such jobs. Returns whether it will run:
/// not if the queue is full or the system grants no thread.
pub(crate) fn log(job: Job) -> bool {
    let refused = LOG.push(job);
    let is_accepted = refused.is_none();
    discard(refused);
    is_accepted
}

/// Makes sure that there are threads for so many pulses, up to the limit.
pub(crate) fn start_for_pulses(count: usize) -> io::Result<()> {
    PULSE.start_until(count)
}

/// Runs a job that calls a pulse.
pub(crate) fn pulse(job: Job) {
    // There is a thread: it was started with the pulse.
    discard(PULSE.push(job));
}

/// Runs a job that ends a wait for log lines, after that time, which is the same for all such jobs.
/// Returns whether it will run.
pub(crate) fn log_limit(after: Duration, job: Job) -> bool {
    let due = Instant::now() + after;
    let refused = LOG_LIMIT.push(Box::new(move || {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        job();
    }));
    let is_accepted = refused.is_none();
    discard(refused);
    is_accepted
}

impl Pool {
    const fn new(name: &'static str, max_threads: usize, max_queued: usize) -> Self {
        let state = Mutex::new(State { queue: VecDeque::new(), idle: 0, threads: 0 });
        Self { name, max_threads, max_queued, state, arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_first(&'static self) -> io::Result<()> {
        self.start_until(1)
    }

    /// Starts threads until there are so many, or as many as there may be.
    fn start_until(&'static self, count: usize) -> io::Result<()> {
        let mut state = self.lock();
        while state.threads < count.min(self.max_threads) {
            self.start_thread(&mut state)?;
        }
        Ok(())
    }

    fn start_thread(&'static self, state: &mut State) -> io::Result<()> {
        thread::Builder::new().name(self.name.into()).spawn(|| self.run())?;
        state.threads += 1;
        Ok(())
    }

    /// Queues a job, or returns it if that is not possible.
    fn push(&'static self, job: Job) -> Option<Job> {
        let mut state = self.lock();
        if state.queue.len() >= self.max_queued {
            return Some(job);
        }
        if state.idle <= state.queue.len() && state.threads < self.max_threads {
            // If it is refused, the job waits for a thread that exists.
            let _ = self.start_thread(&mut state);
        }
        if state.threads == 0 {
            return Some(job);
        }
        state.queue.push_back(job);
        drop(state);
        self.arrived.notify_one();
        None
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                let _ = catch(job);
                state = self.lock();
                continue;
            }
            state.idle += 1;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}
