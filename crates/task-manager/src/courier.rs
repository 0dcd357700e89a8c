//! Threads that carry out for the deadline thread what might block: wakers, aborts, log lines.
//!
//! There is one from the start, so that the system's refusal of a thread is an error of the manager's first use and
//! not a missed deadline. When a job comes and none of them is free, another is started, up to a limit, for one of
//! them may be stuck in a waker for good. Log lines have a thread of their own: a sink that blocks does so for every
//! line, and would take all of them.

use std::{
    collections::VecDeque,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::panics::{catch, discard};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

static ACTS: Courier = Courier::new("task-courier", 32, usize::MAX);
/// Behind a sink that blocks, so many lines wait; those beyond are lost.
static NEWS: Courier = Courier::new("task-log", 1, 1_024);

/// A queue of jobs and the threads that do them.
struct Courier {
    name: &'static str,
    most_threads: usize,
    longest: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    idle: usize,
    threads: usize,
}

/// Starts the first thread, unless an earlier call did.
pub(crate) fn start() -> io::Result<()> {
    let mut state = ACTS.lock();
    if state.threads == 0 { ACTS.add_thread(&mut state) } else { Ok(()) }
}

/// Has a job done soon, on another thread.
pub(crate) fn send(job: Job) {
    ACTS.send(job);
}

/// Has log lines written on another thread, in order.
pub(crate) fn send_news(job: Job) {
    NEWS.send(job);
}

impl Courier {
    const fn new(name: &'static str, most_threads: usize, longest: usize) -> Self {
        let state = Mutex::new(State { queue: VecDeque::new(), idle: 0, threads: 0 });
        Self { name, most_threads, longest, state, arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&'static self, job: Job) {
        let mut state = self.lock();
        if state.queue.len() >= self.longest {
            drop(state);
            return discard(job);
        }
        state.queue.push_back(job);
        if state.idle < state.queue.len() && state.threads < self.most_threads {
            // Refused: then the job waits for a thread that is there.
            let _ = self.add_thread(&mut state);
        }
        drop(state);
        self.arrived.notify_one();
    }

    fn add_thread(&'static self, state: &mut State) -> io::Result<()> {
        thread::Builder::new().name(self.name.into()).spawn(|| self.run())?;
        state.threads += 1;
        Ok(())
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
