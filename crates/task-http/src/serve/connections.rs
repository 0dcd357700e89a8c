//! The open connections, as the table of slots and the end of the server see them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering};

use task_core::{WaitFor, scope::Level};
use task_listen::{Occupant, Slot, Slots};
use tokio::time::Instant;

use super::cut::Cut;
use crate::{activity::Activity, stats::Stats};

/// The open connections of one server, over all its listeners.
#[derive(Debug)]
pub(super) struct Connections {
    slots: Arc<Slots<Connection>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    stats: Arc<Stats>,
    /// What was cut, from the instant on at which the connections are dropped.
    cut: Mutex<Option<Cut>>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) activity: Arc<Activity>,
    /// 1 once it is evicted.
    evicted: Level,
    shared: Arc<Shared>,
}

impl Connections {
    /// Makes a table with `limit` slots.
    pub(super) fn new(limit: usize, stats: Arc<Stats>) -> Self {
        let shared = Shared { epoch: Instant::now(), stats, cut: Mutex::default() };
        Self { slots: Slots::new(limit), shared: Arc::new(shared) }
    }

    /// Waits for the slot of a connection that was just accepted; see [`Slots::admit`].
    pub(super) async fn admit(&self) -> Slot<Connection> {
        self.slots.admit(|| Connection::new(Arc::clone(&self.shared))).await
    }

    /// Evicts the connection that is first in the order of eviction. Returns `false` if none can be
    /// evicted.
    pub(super) fn evict_one(&self) -> bool {
        self.slots.evict_one()
    }

    /// Begins to record which responses are cut: the connections are dropped next.
    pub(super) fn begin_cut(&self) {
        self.shared.cut().get_or_insert_default();
    }

    /// Returns what was cut, including the responses of connections that are not dropped yet, since
    /// a poll of theirs blocks.
    pub(super) fn cut(&self) -> Cut {
        let mut cut = self.shared.cut().take().unwrap_or_default();
        for connection in self.slots.occupants() {
            cut.add(&connection.activity);
        }
        cut
    }
}

impl Shared {
    fn cut(&self) -> MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn new(shared: Arc<Shared>) -> Self {
        shared.stats.connections.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(shared.epoch));
        Self { activity, evicted: Level::new(), shared }
    }

    /// Waits until the connection is evicted.
    pub(super) fn evicted(&self) -> WaitFor<'_> {
        self.evicted.reached(1)
    }
}

impl Occupant for Connection {
    fn eviction_rank(&self) -> Option<(u8, u64)> {
        self.activity.eviction_rank()
    }

    fn evict(&self) {
        self.shared.stats.connections.fetch_sub(1, Ordering::Relaxed);
        self.shared.stats.evicted.fetch_add(1, Ordering::Relaxed);
        self.evicted.raise(1);
    }

    fn left(&self) {
        if self.evicted.get() == 0 {
            self.shared.stats.connections.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(cut) = &mut *self.shared.cut() {
            cut.add(&self.activity);
        }
    }
}
