//! All open connections: how many there may be, and who makes room when there are too many.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use crate::activity::Activity;

/// The open connections of one server, over all its listeners.
#[derive(Debug)]
pub(crate) struct Connections {
    slots: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Open>>,
    epoch: Instant,
    last_id: AtomicU64,
    /// How many accepted connections wait for a slot.
    waiting: AtomicUsize,
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
            waiting: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
        }
    }

    /// Finds a slot for a connection that was just accepted. If there is none, the connection that has gone longest
    /// without a request gives up its own; if all are being answered, this waits for the first that is done.
    pub(crate) async fn admit(self: &Arc<Self>) -> Slot {
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                self.evict_one();
                match Arc::clone(&self.slots).acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => unreachable!("the semaphore is never closed"),
                }
            }
        };
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(self.epoch));
        let (evict, evicted) = oneshot::channel();
        self.lock().insert(id, Open { activity: Arc::clone(&activity), evict });
        Slot { activity, evicted, id, connections: Arc::clone(self), _permit: permit }
    }

    /// Tells whether somebody waits for a slot: then no connection is kept for a next request.
    pub(crate) fn is_crowded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Returns how many are open.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn evict_one(&self) {
        let mut open = self.lock();
        let longest =
            open.iter().filter_map(|(id, open)| Some((open.activity.waiting_since()?, *id))).min();
        if let Some(open) = longest.and_then(|(_, id)| open.remove(&id)) {
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
    pub(crate) connections: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let gone = self.connections.lock().remove(&self.id);
        drop(gone);
    }
}

/// Counts one who waits, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
