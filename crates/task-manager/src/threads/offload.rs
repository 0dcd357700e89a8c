//! Threads that carry out for the deadline thread what might block: wakers, aborts, log lines.
//!
//! They are started when a job comes and none of them is free, up to a limit, for one of them may be stuck in a waker
//! for good; a process whose runtime is never blocked has none, or one for the drop of a runtime's last handle. Should
//! the system refuse the very first of them, the deadline thread does the job itself: that it may be held up there is
//! the lesser evil, since the deadline thread was started where its refusal is an error, and so the deadline is kept.
//! Log lines have a thread of their own: a sink that blocks does so for every line, and would take all of them.

use std::{
    collections::VecDeque,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::threads::panics::{catch, discard};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

static ACTS: Courier = Courier::new("task-courier", 32, usize::MAX);
/// Of its own, so that the wakers of one manager cannot take all the threads for the deadlines of another.
static HELP: Courier = Courier::new("task-help", 32, usize::MAX);
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

/// Has a job done soon, on another thread; on this one if there is no other to be had.
pub(crate) fn send(job: Job) {
    if let Some(job) = ACTS.send(job) {
        let _ = catch(job);
    }
}

/// Has somebody help with wakers that are due. Without a thread nobody does: those who made them due are at it.
pub(crate) fn send_for_help(job: Job) {
    discard(HELP.send(job));
}

/// Has log lines written on another thread, in order. They are lost if there is none to be had: the report has it all.
pub(crate) fn send_news(job: Job) {
    discard(NEWS.send(job));
}

impl Courier {
    const fn new(name: &'static str, most_threads: usize, longest: usize) -> Self {
        let state = Mutex::new(State { queue: VecDeque::new(), idle: 0, threads: 0 });
        Self { name, most_threads, longest, state, arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job back if it cannot be taken.
    fn send(&'static self, job: Job) -> Option<Job> {
        let mut state = self.lock();
        if state.queue.len() >= self.longest {
            return Some(job);
        }
        if state.idle <= state.queue.len() && state.threads < self.most_threads {
            // Refused: then the job waits for a thread that is there.
            let _ = self.add_thread(&mut state);
        }
        if state.threads == 0 {
            return Some(job);
        }
        state.queue.push_back(job);
        drop(state);
        self.arrived.notify_one();
        None
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
