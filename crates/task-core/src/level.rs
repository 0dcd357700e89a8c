//! A number that only grows, and the futures that wait for it: the one waiting primitive of these
//! crates.
//!
//! A task's stage, a group's version and a shutdown's end are all levels. A shared
//! `CancellationToken` is not used for them: there, a waker that panics leaves the wakers behind it
//! uncalled.
//!
//! Invariant L1: a waiter whose threshold is reached is never left in the list unwoken. A raiser
//! raises the value *before* it reads `occupied`; a waiter sets `occupied` *before* it reads the
//! value again. All of these accesses are sequentially consistent, so at least one of the two sees
//! the other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    vec,
};

use self::waiters::{Key, Slot, Waiters};
use crate::{
    panics::discard,
    sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock},
};

mod waiters;

/// A number that only grows, and that any number of futures can wait for.
///
/// It needs no runtime. A waiter that is the only one costs no allocation, and a raise that no
/// future waits for takes no lock.
///
/// Wakers are called outside of the lock, and a waker that panics does not keep the others from
/// being called. The order in which they are called is not specified.
///
/// # Examples
///
/// A version number that observers can follow:
///
/// ```
/// use std::sync::Arc;
/// use task_core::scope::Level;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let version = Arc::new(Level::new());
/// let observer = tokio::spawn({
///     let version = version.clone();
///     async move {
///         version.reached(2).await;
///         version.get()
///     }
/// });
/// version.bump();
/// version.bump();
/// assert_eq!(observer.await.unwrap(), 2);
/// # }
/// ```
///
/// A caller that holds a lock takes the wakers out and calls them later:
///
/// ```
/// use std::sync::Mutex;
/// use task_core::scope::Level;
///
/// let (names, version) = (Mutex::new(Vec::new()), Level::new());
/// let mut names = names.lock().unwrap();
/// names.push("a");
/// let wakers = version.bump_quietly();
/// drop(names);
/// wakers.wake();
/// ```
// In this order in memory: a raise reads the first two, which are to be in one cache line.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Level {
    value: AtomicU64,
    /// Whether the list may hold a waiter. Spares the lock if it does not.
    occupied: AtomicBool,
    waiters: Mutex<Waiters>,
}

impl Level {
    /// Creates a level at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the value.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    /// Raises the value to at least `value`, and wakes the futures that wait for it.
    #[inline]
    pub fn raise(&self, value: u64) {
        self.raise_quietly(value).wake();
    }

    /// Raises the value to at least `value`, and returns the wakers for the caller to call, outside
    /// of its locks.
    #[inline]
    pub fn raise_quietly(&self, value: u64) -> Wakers {
        let before = self.value.fetch_max(value, Ordering::SeqCst);
        if before < value && self.is_occupied() { self.take_due() } else { Wakers::default() }
    }

    /// Adds one to the value, and wakes the futures that wait for it.
    #[inline]
    pub fn bump(&self) {
        self.bump_quietly().wake();
    }

    /// Adds one to the value, and returns the wakers for the caller to call, outside of its locks.
    #[inline]
    pub fn bump_quietly(&self) -> Wakers {
        self.value.fetch_add(1, Ordering::SeqCst);
        if self.is_occupied() { self.take_due() } else { Wakers::default() }
    }

    /// Waits until the value is at least `threshold`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses nothing, and leaves no waker
    /// behind.
    pub fn reached(&self, threshold: u64) -> WaitFor<'_> {
        WaitFor { level: self, waiter: Waiter::new(threshold) }
    }

    /// Calls `waker` once when the value is at least `threshold`, which may be now. It cannot be
    /// removed.
    pub fn wake_at(&self, threshold: u64, waker: Waker) {
        self.insert(threshold, waker);
        if self.get() >= threshold {
            self.take_due().wake();
        }
    }

    fn insert(&self, threshold: u64, waker: Waker) -> Key {
        let mut waiters = lock(&self.waiters);
        let key = waiters.insert(threshold, waker);
        self.occupied.store(true, Ordering::SeqCst);
        key
    }

    /// Removes a waiter. Its waker's drop, which is foreign code, runs outside of the lock.
    fn remove(&self, key: Key) {
        let removed = lock(&self.waiters).remove(key);
        discard(removed);
    }

    /// Returns whether the waiter is in the list with a waker that wakes the same task.
    fn is_listed(&self, key: Key, waker: &Waker) -> bool {
        lock(&self.waiters).get(key).is_some_and(|listed| listed.will_wake(waker))
    }

    #[inline]
    fn is_occupied(&self) -> bool {
        self.occupied.load(Ordering::SeqCst)
    }

    /// Removes the waiters whose threshold is reached. A caller that raised the value may skip it
    /// if `occupied`, read after that, is false (L1).
    fn take_due(&self) -> Wakers {
        let mut due = Wakers::default();
        let mut waiters = lock(&self.waiters);
        // Read under the lock: if it has grown since, this call takes the waiters of both raises.
        let value = self.get();
        waiters.take_due(value, &mut due);
        self.occupied.store(!waiters.is_empty(), Ordering::SeqCst);
        due
    }
}

/// Wakers that were removed from their [`Level`], for [`wake`](Self::wake) to call. If
/// they are dropped instead, the futures that wait are never woken.
#[derive(Debug, Default)]
#[must_use = "call `wake`, or the futures that wait are never woken"]
pub struct Wakers {
    first: Option<Waker>,
    /// In the slots of their list, so that a whole list is taken as it is.
    rest: Vec<Slot>,
}

impl Wakers {
    /// Calls every waker. A panic of one is caught, and the others are still called.
    #[inline]
    pub fn wake(self) {
        // Nearly always empty.
        if !self.is_empty() {
            self.wake_all();
        }
    }

    fn wake_all(self) {
        for waker in self.into_all() {
            let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            if let Err(payload) = woken {
                discard(payload);
            }
        }
    }

    /// Appends the wakers of `other`.
    pub fn append(&mut self, other: Self) {
        let Self { first, rest } = other;
        if let Some(waker) = first {
            self.push(waker);
        }
        // Nearly always empty, and `extend` costs even then.
        if !rest.is_empty() {
            self.rest.extend(rest);
        }
    }

    /// Returns whether there are no wakers.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(Slot::of(waker));
        }
    }

    fn into_all(self) -> impl Iterator<Item = Waker> {
        let rest = self.rest.into_iter().filter_map(Slot::into_waker);
        self.first.into_iter().chain(rest)
    }

    fn push_all(&mut self, list: Vec<Slot>) {
        if self.rest.is_empty() {
            self.rest = list;
        } else {
            self.rest.extend(list);
        }
    }
}

impl IntoIterator for Wakers {
    type Item = Waker;
    type IntoIter = vec::IntoIter<Waker>;

    /// Returns the wakers one by one, for a caller that handles their panics in another way.
    fn into_iter(self) -> Self::IntoIter {
        self.into_all().collect::<Vec<_>>().into_iter()
    }
}

/// A future that resolves once a [`Level`] has reached a threshold. Returned by [`Level::reached`]
/// and the waits of a [`Context`](crate::Context).
///
/// # Cancel safety
///
/// It is cancel safe: dropped, it is removed from the level's list, and a new one takes its place.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitFor<'a> {
    level: &'a Level,
    waiter: Waiter,
}

impl Future for WaitFor<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { level, waiter } = &mut *self;
        waiter.poll(level, cx)
    }
}

impl Drop for WaitFor<'_> {
    fn drop(&mut self) {
        self.waiter.remove_from(self.level);
    }
}

/// One place in the list of a [`Level`], for futures that borrow the level or own it. Every call
/// is given the same level, and the last one is [`remove_from`](Self::remove_from).
#[derive(Debug)]
pub(crate) struct Waiter {
    threshold: u64,
    key: Option<Key>,
}

impl Waiter {
    pub(crate) fn new(threshold: u64) -> Self {
        Self { threshold, key: None }
    }

    #[inline]
    pub(crate) fn poll(&mut self, level: &Level, cx: &mut Context<'_>) -> Poll<()> {
        let Self { threshold, key } = self;
        if level.get() >= *threshold {
            // The raiser has removed this waiter from the list, or is about to.
            *key = None;
            return Poll::Ready(());
        }
        if let Some(known) = *key {
            if level.is_listed(known, cx.waker()) {
                return Poll::Pending;
            }
            level.remove(known);
        }
        // Cloned outside of the lock: a waker's clone is foreign code.
        let listed = level.insert(*threshold, cx.waker().clone());
        // Invariant L1: read again after the waiter was listed.
        if level.get() >= *threshold {
            level.remove(listed);
            *key = None;
            return Poll::Ready(());
        }
        *key = Some(listed);
        Poll::Pending
    }

    /// Removes the waker from the list, if it is there.
    #[inline]
    pub(crate) fn remove_from(&mut self, level: &Level) {
        if let Some(key) = self.key.take() {
            level.remove(key);
        }
    }
}
