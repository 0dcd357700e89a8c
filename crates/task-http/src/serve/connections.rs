//! All open connections: how many there may be, and who makes room when there are too many.

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

use crate::activity::Activity;

/// How long one that needs a slot waits before it looks anew for somebody to give one up.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The open connections of one server, over all its listeners.
#[derive(Debug)]
pub(crate) struct Connections {
    slots: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Open>>,
    epoch: Instant,
    last_id: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
}

#[derive(Debug)]
struct Open {
    activity: Arc<Activity>,
    evict: oneshot::Sender<()>,
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            open: Mutex::default(),
            epoch: Instant::now(),
            last_id: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
        }
    }

    /// Finds a slot for a connection that was just accepted. If there is none, the most dispensable connection gives up
    /// its own; if none is, this waits for the first that is done, or becomes dispensable.
    pub(crate) async fn admit(self: &Arc<Self>) -> Slot {
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.make_room().await,
        };
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(self.epoch));
        let (evict, evicted) = oneshot::channel();
        self.lock().insert(id, Open { activity: Arc::clone(&activity), evict });
        Slot { activity, evicted, id, connections: Arc::clone(self), _permit: permit }
    }

    /// Returns how many are open.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    async fn make_room(&self) -> OwnedSemaphorePermit {
        loop {
            self.evict_one();
            // Again after a while: what is not dispensable now may be then.
            let permit = timeout(LOOK_AGAIN, Arc::clone(&self.slots).acquire_owned()).await;
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = permit {
                return permit;
            }
        }
    }

    fn evict_one(&self) {
        let mut open = self.lock();
        let dispensable = |(id, open): (&u64, &Open)| Some((open.activity.dispensable()?, *id));
        let first = open.iter().filter_map(dispensable).min();
        if let Some(open) = first.and_then(|(_, id)| open.remove(&id)) {
            self.evicted.fetch_add(1, Ordering::Relaxed);
            // It may just be ending by itself, which is as good.
            let _ = open.evict.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one open connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) activity: Arc<Activity>,
    /// Resolves when the connection must make room.
    pub(crate) evicted: oneshot::Receiver<()>,
    id: u64,
    connections: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let gone = self.connections.lock().remove(&self.id);
        drop(gone);
    }
}
