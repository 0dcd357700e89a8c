//! The table of open connections: how many there are, and which is evicted for a new one.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How often a connection that waits for a slot tries to evict another one.
const EVICTION_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// What holds a [`Slot`]: the state of a connection.
///
/// The methods are called from any thread, the first two under a lock, and must neither block nor
/// panic.
pub trait Occupant: Send + Sync + 'static {
    /// Returns the place of the connection in the order of eviction, lowest first; `None` if it
    /// cannot be evicted now.
    fn eviction_rank(&self) -> Option<(u8, u64)>;

    /// Asks the connection to close at once, since another one waits for its slot.
    fn evict(&self);

    /// The connection has ended. Its slot is free, and [`Slots::emptied`] returns, only after this.
    fn left(&self) {}
}

/// The slots for the open connections of one server, over all its listeners, for those who write a
/// task that serves.
///
/// A semaphore counts the slots, since a connection waits for one; the map has what is needed to
/// evict the holder of a slot.
pub struct Slots<T> {
    free: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Entry<T>>>,
    last_id: AtomicU64,
    emptied: Notify,
}

/// The holder of a slot, as the table sees it.
struct Entry<T> {
    occupant: Arc<T>,
    /// It closes, and makes room for one more.
    is_leaving: bool,
}

impl<T: Occupant> Slots<T> {
    /// Makes a table with `limit` slots.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            open: Mutex::default(),
            last_id: AtomicU64::new(0),
            emptied: Notify::new(),
        })
    }

    /// Waits for the slot of a connection that was just accepted.
    ///
    /// If all slots are taken, the connection with the lowest
    /// [eviction rank](Occupant::eviction_rank) is evicted. If none can be evicted, this waits
    /// until one ends or can be, which is tried every 100 ms. `occupant` is called once there is a
    /// slot.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves no slot behind. An eviction that it caused stays.
    pub async fn admit(self: &Arc<Self>, occupant: impl FnOnce() -> T) -> Slot<T> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.make_room().await,
        };
        self.enter(occupant(), permit)
    }

    /// Takes a slot if one is free now.
    pub fn try_admit(self: &Arc<Self>, occupant: impl FnOnce() -> T) -> Option<Slot<T>> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.enter(occupant(), permit))
    }

    fn enter(self: &Arc<Self>, occupant: T, permit: OwnedSemaphorePermit) -> Slot<T> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let occupant = Arc::new(occupant);
        let entry = Entry { occupant: Arc::clone(&occupant), is_leaving: false };
        self.lock().insert(id, entry);
        Slot(Arc::new(Held { occupant, id, slots: Arc::clone(self), _permit: permit }))
    }

    /// Evicts a connection, and waits for its permit, until there is one.
    async fn make_room(&self) -> OwnedSemaphorePermit {
        loop {
            self.evict_one();
            // With a retry, since a connection that cannot be evicted now may stall later.
            let permit =
                timeout(EVICTION_RETRY_INTERVAL, Arc::clone(&self.free).acquire_owned()).await;
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = permit {
                return permit;
            }
        }
    }

    /// Evicts the connection that is first in the order of eviction. Returns `false` if none can be
    /// evicted.
    pub fn evict_one(&self) -> bool {
        let mut open = self.lock();
        let rank = |(id, entry): (&u64, &Entry<T>)| {
            if entry.is_leaving {
                return None;
            }
            Some((entry.occupant.eviction_rank()?, *id))
        };
        let first = open.iter().filter_map(rank).min();
        let Some(entry) = first.and_then(|(_, id)| open.get_mut(&id)) else { return false };
        entry.is_leaving = true;
        entry.occupant.evict();
        true
    }

    /// Returns how many connections are open, without those that were evicted or are leaving.
    pub fn len(&self) -> usize {
        self.lock().values().filter(|entry| !entry.is_leaving).count()
    }

    /// Returns whether no connection is open.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns the states of the open connections, in no order. They hold no slot.
    pub fn occupants(&self) -> Vec<Arc<T>> {
        self.lock().values().map(|entry| Arc::clone(&entry.occupant)).collect()
    }

    /// Waits until no connection is open.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn emptied(&self) {
        loop {
            // Registered before the check, so that an end between the two is seen.
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Entry<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("free", &self.free).finish_non_exhaustive()
    }
}

/// The slot of one open connection. It is returned when the last clone is dropped.
pub struct Slot<T: Occupant>(Arc<Held<T>>);

struct Held<T: Occupant> {
    occupant: Arc<T>,
    id: u64,
    slots: Arc<Slots<T>>,
    _permit: OwnedSemaphorePermit,
}

impl<T: Occupant> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Occupant> Deref for Slot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.occupant
    }
}

impl<T: Occupant> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.0.id).finish()
    }
}

impl<T: Occupant> Drop for Held<T> {
    fn drop(&mut self) {
        // It stays in the table until it was heard, so that who sees an empty table has all that
        // the connections had to say. Meanwhile it cannot be evicted.
        if let Some(entry) = self.slots.lock().get_mut(&self.id) {
            entry.is_leaving = true;
        }
        self.occupant.left();
        let mut open = self.slots.lock();
        let removed = open.remove(&self.id);
        let is_empty = open.is_empty();
        drop(open);
        drop(removed);
        if is_empty {
            self.slots.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex, Weak};

    use super::{Occupant, Slots};

    /// Sees the table as its connection leaves: whether it is empty, and whether one can be
    /// evicted.
    struct Leaving {
        slots: Weak<Slots<Leaving>>,
        seen: Arc<Mutex<Vec<(bool, bool)>>>,
    }

    impl Occupant for Leaving {
        fn eviction_rank(&self) -> Option<(u8, u64)> {
            Some((0, 0))
        }

        fn evict(&self) {}

        fn left(&self) {
            let slots = self.slots.upgrade().unwrap();
            self.seen.lock().unwrap().push((slots.is_empty(), slots.evict_one()));
        }
    }

    #[test]
    fn a_table_is_empty_only_once_its_last_connection_was_heard() {
        let slots = Slots::new(1);
        let seen = Arc::default();
        let leaving = || Leaving { slots: Arc::downgrade(&slots), seen: Arc::clone(&seen) };
        let slot = slots.try_admit(leaving).unwrap();
        assert!(slots.try_admit(leaving).is_none());
        drop(slot);
        assert_eq!(*seen.lock().unwrap(), [(false, false)]);
        assert!(slots.is_empty());
        assert!(slots.try_admit(leaving).is_some());
    }
}
