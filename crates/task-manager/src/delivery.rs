//! Wakers that are due, called one by one from a queue with which another thread can go on.
//!
//! A waker is foreign code. One that panics is caught; one that blocks keeps the thread that made it due, and nobody
//! else: those behind it are called by the threads of `courier.rs`, which the deadline thread sends for if a queue does
//! not move (invariant 9).

use std::{
    collections::VecDeque,
    sync::PoisonError,
    task::Waker,
    time::{Duration, Instant},
};

use task_core::Wakers;

use crate::{
    panics::catch,
    sync::{Mutex, MutexGuard},
};

/// How long a waker may take before others go on with the queue. Real time: foreign code knows no other.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many times help is sent for, each time because one more waker blocks.
const MOST_HELPERS: u8 = 32;

#[derive(Default)]
pub(crate) struct Delivery(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    /// One for each thread that is at it, with the number that tells it apart.
    queues: Vec<(u64, VecDeque<Waker>)>,
    last: u64,
    /// How often a queue moved, or help was sent for. A count, since a look at the clock costs more than a waker.
    moves: u64,
    /// Which count was seen last, and when first.
    seen: Option<(u64, Instant)>,
    helpers: u8,
}

/// Wakers that were handed over, and are to be called by whoever did.
#[derive(Default)]
#[must_use = "run it, or help has to be sent for"]
pub(crate) struct Parcel(Option<u64>);

impl Delivery {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands wakers over. Calls nothing itself: it may be used under a lock.
    pub(crate) fn add(&self, wakers: Wakers) -> Parcel {
        if wakers.is_empty() {
            return Parcel(None);
        }
        let mut queues = self.lock();
        queues.last += 1;
        let number = queues.last;
        queues.queues.push((number, wakers.into_iter().collect()));
        queues.moves += 1;
        Parcel(Some(number))
    }

    /// Calls the wakers of a parcel until none is left.
    pub(crate) fn run(&self, parcel: Parcel) {
        let Some(number) = parcel.0 else { return };
        while let Some(waker) = self.next(|queue| queue == number) {
            let _ = catch(|| waker.wake());
        }
    }

    /// Calls everybody's wakers until none is left.
    pub(crate) fn help(&self) {
        while let Some(waker) = self.next(|_| true) {
            let _ = catch(|| waker.wake());
        }
    }

    fn next(&self, matches: impl Fn(u64) -> bool) -> Option<Waker> {
        let mut queues = self.lock();
        let index = queues.queues.iter().position(|(number, _)| matches(*number))?;
        let (_, queue) = &mut queues.queues[index];
        let waker = queue.pop_front();
        if queue.is_empty() {
            queues.queues.remove(index);
        }
        queues.moves += 1;
        waker
    }

    /// Returns how long to wait before looking again, and sending for help if nothing has moved by then; `None` where
    /// none is needed, or none is left.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let mut queues = self.lock();
        if queues.queues.is_empty() || queues.helpers == MOST_HELPERS {
            return None;
        }
        let moves = queues.moves;
        let (_, since) = *match &mut queues.seen {
            Some(seen) if seen.0 == moves => seen,
            seen => seen.insert((moves, Instant::now())),
        };
        Some(PATIENCE.saturating_sub(since.elapsed()))
    }

    /// Tells whether a queue has stood still for too long.
    pub(crate) fn is_stuck(&self) -> bool {
        self.patience() == Some(Duration::ZERO)
    }

    /// Takes note that help is sent for, and tells whether it is due.
    pub(crate) fn send_for_help(&self) -> bool {
        let is_due = self.is_stuck();
        if is_due {
            let mut queues = self.lock();
            queues.helpers += 1;
            queues.moves += 1;
        }
        is_due
    }
}
