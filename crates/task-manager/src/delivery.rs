//! Wakers that are due, called one by one from queues with which other threads can go on.
//!
//! A waker is foreign code. One that panics is caught; one that blocks keeps the thread that made it due, and nobody
//! else: those behind it are called by the threads of `courier.rs`, which the deadline thread sends for if a queue does
//! not move (invariant 9). Each time twice as many are sent, so that however many wakers block, up to the limit, the
//! last of those behind them is called within a few times the patience.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use task_core::scope::Wakers;

use crate::{
    group::shared::Shared,
    sync::{Mutex, MutexGuard},
    threads::panics::catch,
};

#[cfg(test)]
mod tests;

/// How long a waker may take before others go on with the queue. Real time: foreign code knows no other.
const PATIENCE: Duration = Duration::from_millis(10);
/// How many threads are sent for, until all queues have been empty.
const MOST_HELPERS: usize = 32;

#[derive(Default)]
pub(crate) struct Delivery(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    /// One for each thread that is at it; none of them is empty.
    queues: Vec<Queue>,
    last: u64,
    helpers: usize,
    /// Whether the deadline thread was told of the queues that there are.
    is_watched: bool,
}

struct Queue {
    /// Tells it apart.
    number: u64,
    wakers: VecDeque<Waker>,
    /// How often it moved. A count, since a look at the clock costs more than a waker.
    moves: u64,
    /// Which count was seen last, and when first.
    seen: Option<(u64, Instant)>,
}

/// Wakers that were handed over, and are to be called by whoever did.
#[derive(Default)]
#[must_use = "deliver it, or help has to be sent for"]
pub(crate) struct Parcel {
    number: Option<u64>,
    /// Whether one that blocks would hold another.
    is_many: bool,
}

impl Shared {
    /// Makes it known that something has changed that the group's view shows.
    pub(crate) fn changed(self: &Arc<Self>) {
        self.wake(self.version.bump_quietly());
    }

    /// Calls wakers.
    pub(crate) fn wake(self: &Arc<Self>, wakers: Wakers) {
        self.deliver(self.alarm.delivery.add(wakers));
    }

    /// Calls the wakers of a parcel until none is left.
    pub(crate) fn deliver(self: &Arc<Self>, parcel: Parcel) {
        let delivery = &self.alarm.delivery;
        // Nobody is behind a single one, and nobody needs to watch over it.
        // Before the first use inside a runtime nobody could.
        if parcel.is_many && self.alarm.clock.get().is_some() && delivery.begin_watch() {
            self.alarm.watch(self);
        }
        delivery.run(parcel);
    }
}

impl Delivery {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands wakers over. Calls nothing itself: it may be used under a lock.
    #[inline]
    pub(crate) fn add(&self, wakers: Wakers) -> Parcel {
        // Nearly always: nobody waits for the end of one task, or looks at the group.
        if wakers.is_empty() { Parcel::default() } else { self.add_all(wakers) }
    }

    fn add_all(&self, wakers: Wakers) -> Parcel {
        let wakers: VecDeque<Waker> = wakers.into_iter().collect();
        let is_many = wakers.len() > 1;
        let mut queues = self.lock();
        if queues.queues.is_empty() {
            queues.helpers = 0;
        }
        queues.last += 1;
        let number = queues.last;
        queues.queues.push(Queue { number, wakers, moves: 0, seen: None });
        Parcel { number: Some(number), is_many }
    }

    /// Adds wakers to a parcel, or makes a new one of them if that was delivered meanwhile.
    #[inline]
    pub(crate) fn join(&self, parcel: Parcel, wakers: Wakers) -> Parcel {
        if wakers.is_empty() { parcel } else { self.join_all(parcel, wakers) }
    }

    fn join_all(&self, parcel: Parcel, wakers: Wakers) -> Parcel {
        let mut queues = self.lock();
        let mine = |queue: &&mut Queue| Some(queue.number) == parcel.number;
        let Some(queue) = queues.queues.iter_mut().find(mine) else {
            drop(queues);
            return self.add(wakers);
        };
        queue.wakers.extend(wakers);
        Parcel { is_many: true, ..parcel }
    }

    /// Tells whether the deadline thread has to be told that there are wakers.
    fn begin_watch(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_watched, true)
    }

    fn run(&self, parcel: Parcel) {
        let Some(mine) = parcel.number else { return };
        while let Some(waker) = self.next(|number| number == mine) {
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
        let index = queues.queues.iter().position(|queue| matches(queue.number))?;
        let queue = &mut queues.queues[index];
        queue.moves += 1;
        let waker = queue.wakers.pop_front();
        if queue.wakers.is_empty() {
            queues.queues.remove(index);
        }
        waker
    }

    /// Returns how long to wait before looking again, and sending for help if a queue has not moved by then; `None`
    /// where none is needed, or none is left.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let mut queues = self.lock();
        if queues.queues.is_empty() || queues.helpers == MOST_HELPERS {
            // From now on nobody looks.
            queues.is_watched = false;
            return None;
        }
        let left = queues.queues.iter_mut().map(|queue| {
            let (_, since) = *match &mut queue.seen {
                Some(seen) if seen.0 == queue.moves => seen,
                seen => seen.insert((queue.moves, Instant::now())),
            };
            PATIENCE.saturating_sub(since.elapsed())
        });
        left.min()
    }

    /// Tells whether a queue has stood still for too long.
    pub(crate) fn is_stuck(&self) -> bool {
        self.patience() == Some(Duration::ZERO)
    }

    /// Takes note that help is sent for, if it is due, and returns how many are to [`help`](Self::help).
    pub(crate) fn send_for_help(&self) -> usize {
        if !self.is_stuck() {
            return 0;
        }
        let mut queues = self.lock();
        let waiting: usize = queues.queues.iter().map(|queue| queue.wakers.len()).sum();
        let helpers = (queues.helpers + 1).min(MOST_HELPERS - queues.helpers).min(waiting);
        queues.helpers += helpers;
        queues.queues.iter_mut().for_each(|queue| queue.seen = None);
        helpers
    }
}
