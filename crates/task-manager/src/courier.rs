//! Threads that carry out for the deadline thread what might block: wakers, aborts, log lines.
//!
//! There is one from the start, so that the system's refusal of a thread is an error of the manager's first use and
//! not a missed deadline. When a job comes and none of them is free, another is started, up to a limit, for one of
//! them may be stuck in a waker or a log sink for good.

use std::{
    collections::VecDeque,
    io,
    sync::{Condvar, Mutex, PoisonError},
    thread,
};

use crate::panics::catch;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How many threads there may be; beyond, jobs wait.
const MOST_THREADS: usize = 32;

struct Courier {
    queue: VecDeque<Job>,
    idle: usize,
    threads: usize,
}

static COURIER: Mutex<Courier> =
    Mutex::new(Courier { queue: VecDeque::new(), idle: 0, threads: 0 });
static ARRIVED: Condvar = Condvar::new();

/// Starts the first thread.
pub(crate) fn start() -> io::Result<()> {
    let mut courier = COURIER.lock().unwrap_or_else(PoisonError::into_inner);
    courier.add_thread()
}

/// Has a job done soon, on another thread.
pub(crate) fn send(job: Job) {
    let mut courier = COURIER.lock().unwrap_or_else(PoisonError::into_inner);
    courier.queue.push_back(job);
    if courier.idle < courier.queue.len() && courier.threads < MOST_THREADS {
        // Refused: then the job waits for a thread that is there.
        let _ = courier.add_thread();
    }
    drop(courier);
    ARRIVED.notify_one();
}

impl Courier {
    fn add_thread(&mut self) -> io::Result<()> {
        thread::Builder::new().name("task-courier".into()).spawn(run)?;
        self.threads += 1;
        Ok(())
    }
}

fn run() {
    let mut courier = COURIER.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(job) = courier.queue.pop_front() {
            drop(courier);
            let _ = catch(job);
            courier = COURIER.lock().unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        courier.idle += 1;
        courier = ARRIVED.wait(courier).unwrap_or_else(PoisonError::into_inner);
        courier.idle -= 1;
    }
}
