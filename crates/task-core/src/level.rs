//! A number that only grows, and those who wait for it: the one waiting primitive of this library.
//!
//! A task's stage, a group's version and a shutdown's end are all levels. It does not use a shared
//! `CancellationToken`, because one waker that panics there leaves the wakers behind it asleep, and because a list of
//! our own is cheaper.
//!
//! Invariant L1: a waiter whose threshold is reached is never left in the list unwoken. Whoever raises the value does
//! it *before* looking at `occupied`; whoever waits sets `occupied` *before* looking at the value again. Both are
//! sequentially consistent, so at least one of the two sees the other.

use std::{
    iter::Chain,
    option,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    vec,
};

use crate::{
    payload::discard,
    sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock},
};

/// A number that only grows, which any number of callers can wait for.
///
/// Waking runs outside the lock, and a waker that panics keeps no other from being woken.
#[derive(Debug, Default)]
pub struct Level {
    value: AtomicU64,
    /// Whether the list may hold anybody: spares the lock where nobody waits.
    occupied: AtomicBool,
    waiters: Mutex<Waiters>,
}

/// The list. One waiter is by far the commonest case and needs no allocation.
#[derive(Debug, Default)]
struct Waiters {
    last_key: u64,
    first: Option<Waiter>,
    rest: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    key: u64,
    threshold: u64,
    waker: Waker,
}

impl Level {
    /// Makes a level at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the value.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    /// Raises the value to at least `value` and wakes who waits for it.
    pub fn raise(&self, value: u64) {
        self.raise_quietly(value).wake();
    }

    /// Raises the value and hands out the wakers, for a caller who must not run them here.
    pub fn raise_quietly(&self, value: u64) -> Wakers {
        let before = self.value.fetch_max(value, Ordering::SeqCst);
        if before < value && self.is_occupied() { self.take_due() } else { Wakers::default() }
    }

    /// Adds one to the value and wakes who waits for it.
    pub fn bump(&self) {
        self.bump_quietly().wake();
    }

    /// Adds one to the value and hands out the wakers, for a caller who must not run them here.
    pub fn bump_quietly(&self) -> Wakers {
        self.value.fetch_add(1, Ordering::SeqCst);
        if self.is_occupied() { self.take_due() } else { Wakers::default() }
    }

    /// Resolves once the value is at least `threshold`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it can be dropped and asked again at any time.
    pub fn reached(&self, threshold: u64) -> WaitFor<'_> {
        WaitFor { level: self, threshold, key: None }
    }

    /// Has `waker` called once the value is at least `threshold`, which may be at once. It cannot be taken back.
    pub fn wake_at(&self, threshold: u64, waker: Waker) {
        self.insert(threshold, waker);
        if self.get() >= threshold {
            self.take_due().wake();
        }
    }

    fn insert(&self, threshold: u64, waker: Waker) -> u64 {
        let mut waiters = lock(&self.waiters);
        waiters.last_key += 1;
        let key = waiters.last_key;
        let waiter = Waiter { key, threshold, waker };
        if waiters.first.is_none() {
            waiters.first = Some(waiter);
        } else {
            waiters.rest.push(waiter);
        }
        self.occupied.store(true, Ordering::SeqCst);
        key
    }

    /// Takes out a waiter; its waker is dropped by the caller, outside the lock.
    fn remove(&self, key: u64) -> Option<Waiter> {
        let mut waiters = lock(&self.waiters);
        if waiters.first.as_ref().is_some_and(|waiter| waiter.key == key) {
            return waiters.first.take();
        }
        let index = waiters.rest.iter().position(|waiter| waiter.key == key)?;
        Some(waiters.rest.swap_remove(index))
    }

    /// Tells whether the waiter is still in the list, and with this very waker.
    fn is_listed(&self, key: u64, waker: &Waker) -> bool {
        let waiters = lock(&self.waiters);
        waiters
            .first
            .iter()
            .chain(&waiters.rest)
            .any(|waiter| waiter.key == key && waiter.waker.will_wake(waker))
    }

    #[inline]
    fn is_occupied(&self) -> bool {
        self.occupied.load(Ordering::SeqCst)
    }

    /// Takes off the list who is due. Needless, if a look at `occupied` after the value was raised says so.
    fn take_due(&self) -> Wakers {
        let mut due = Wakers::default();
        let mut waiters = lock(&self.waiters);
        // Read under the lock: it may have grown since, and then this call wakes for both.
        let value = self.get();
        if let Some(waiter) = waiters.first.take_if(|waiter| waiter.threshold <= value) {
            due.push(waiter.waker);
        }
        if !waiters.rest.is_empty() {
            for waiter in waiters.rest.extract_if(.., |waiter| waiter.threshold <= value) {
                due.push(waiter.waker);
            }
        }
        self.occupied.store(waiters.first.is_some() || !waiters.rest.is_empty(), Ordering::SeqCst);
        due
    }
}

/// Wakers that are due: taken off their lists and not yet called. Dropping them without [`wake`](Self::wake) would
/// leave their owners asleep.
#[derive(Debug, Default)]
#[must_use = "call `wake`, or those who wait stay asleep"]
pub struct Wakers {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakers {
    /// Calls every waker. One that panics changes nothing for the others; its panic goes no further.
    pub fn wake(self) {
        let Self { first, rest } = self;
        for waker in first.into_iter().chain(rest) {
            let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            if let Err(payload) = woken {
                discard(payload);
            }
        }
    }

    /// Takes over the wakers of `other`.
    pub fn append(&mut self, other: Self) {
        let Self { first, rest } = other;
        if let Some(waker) = first {
            self.push(waker);
        }
        // Nearly always empty.
        if !rest.is_empty() {
            self.rest.extend(rest);
        }
    }

    /// Tells whether there is nobody to wake.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }
}

impl IntoIterator for Wakers {
    type Item = Waker;
    type IntoIter = Chain<option::IntoIter<Waker>, vec::IntoIter<Waker>>;

    /// Hands out the wakers one by one, for a caller who guards against their panics in another way.
    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

/// Resolves once a [`Level`] has reached a threshold. Cancel safe.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitFor<'a> {
    level: &'a Level,
    threshold: u64,
    key: Option<u64>,
}

impl Future for WaitFor<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { level, threshold, key } = &mut *self;
        if level.get() >= *threshold {
            // The raiser has taken this waiter off the list, or is about to.
            *key = None;
            return Poll::Ready(());
        }
        if let Some(known) = *key {
            if level.is_listed(known, cx.waker()) {
                return Poll::Pending;
            }
            drop(level.remove(known));
        }
        // Cloned here and not under the lock: a waker's clone is foreign code.
        let listed = level.insert(*threshold, cx.waker().clone());
        // Invariant L1: looked at again after having been listed.
        if level.get() >= *threshold {
            drop(level.remove(listed));
            *key = None;
            return Poll::Ready(());
        }
        *key = Some(listed);
        Poll::Pending
    }
}

impl Drop for WaitFor<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            drop(self.level.remove(key));
        }
    }
}
