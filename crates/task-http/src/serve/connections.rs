//! The table of open connections: how many there are, and which is evicted for a new one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout},
};

use super::cut::Cut;
use crate::{activity::Activity, stats::Stats};

/// How often a connection that waits for a slot tries to evict another one.
const EVICTION_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The open connections of one server, over all its listeners.
///
/// A semaphore counts the slots, since a connection waits for one; the map has what is needed to
/// evict the holder of a slot.
#[derive(Debug)]
pub(super) struct Connections {
    slots: Arc<Semaphore>,
    table: Mutex<Table>,
    epoch: Instant,
    last_id: AtomicU64,
    stats: Arc<Stats>,
}

/// What the lock protects.
#[derive(Debug, Default)]
struct Table {
    open: HashMap<u64, Open>,
    /// What was cut, from the instant on at which the connections are dropped.
    cut: Option<Cut>,
}

/// The holder of a slot, as the table sees it.
#[derive(Debug)]
struct Open {
    activity: Arc<Activity>,
    evict: oneshot::Sender<()>,
}

impl Connections {
    /// Makes a table with `limit` slots.
    pub(super) fn new(limit: usize, stats: Arc<Stats>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            table: Mutex::default(),
            epoch: Instant::now(),
            last_id: AtomicU64::new(0),
            stats,
        }
    }

    /// Waits for the slot of a connection that was just accepted.
    ///
    /// If all slots are taken, the connection with the lowest [eviction
    /// rank](Activity::eviction_rank) is evicted. If none can be evicted, this waits until one ends
    /// or can be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves no slot behind. An eviction that it caused stays.
    pub(super) async fn admit(self: &Arc<Self>) -> Slot {
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.make_room().await,
        };
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(self.epoch));
        let (evict, evicted) = oneshot::channel();
        let mut table = self.lock();
        table.open.insert(id, Open { activity: Arc::clone(&activity), evict });
        self.publish_count(&table.open);
        drop(table);
        Slot { activity, evicted, id, connections: Arc::clone(self), _permit: permit }
    }

    /// Evicts a connection, and waits for its permit, until there is one.
    async fn make_room(&self) -> OwnedSemaphorePermit {
        loop {
            self.evict_one();
            // With a retry, since a connection that cannot be evicted now may stall later.
            let permit =
                timeout(EVICTION_RETRY_INTERVAL, Arc::clone(&self.slots).acquire_owned()).await;
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = permit {
                return permit;
            }
        }
    }

    /// Evicts the connection that is first in the order of eviction. Returns `false` if none can be
    /// evicted.
    pub(super) fn evict_one(&self) -> bool {
        let mut table = self.lock();
        let open = &mut table.open;
        let rank = |(id, open): (&u64, &Open)| Some((open.activity.eviction_rank()?, *id));
        let first = open.iter().filter_map(rank).min();
        let Some(evicted) = first.and_then(|(_, id)| open.remove(&id)) else { return false };
        self.publish_count(open);
        self.stats.evicted.fetch_add(1, Ordering::Relaxed);
        // An error means that the connection has just ended by itself.
        let _ = evicted.evict.send(());
        true
    }

    /// Begins to record which responses are cut: the connections are dropped next.
    pub(super) fn begin_cut(&self) {
        self.lock().cut.get_or_insert_default();
    }

    /// Returns what was cut, including the responses of connections that are not dropped yet, since
    /// a poll of theirs blocks.
    pub(super) fn cut(&self) -> Cut {
        let mut table = self.lock();
        let mut cut = table.cut.take().unwrap_or_default();
        for open in table.open.values() {
            cut.add(&open.activity);
        }
        cut
    }

    /// Sets the count in the statistics. It is called under the lock, so that the last value is the
    /// right one.
    fn publish_count(&self, open: &HashMap<u64, Open>) {
        self.stats.connections.store(open.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of one open connection. The drop returns it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) activity: Arc<Activity>,
    /// Resolves when the connection is evicted.
    pub(super) evicted: oneshot::Receiver<()>,
    id: u64,
    connections: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // An evicted connection is not in the table any more.
        let mut table = self.connections.lock();
        table.open.remove(&self.id);
        if let Some(cut) = &mut table.cut {
            cut.add(&self.activity);
        }
        self.connections.publish_count(&table.open);
    }
}
