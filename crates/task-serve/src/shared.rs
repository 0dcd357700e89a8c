//! What all connections of one server share, apart from the service.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use task_core::Context;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use crate::{cut::Cut, limits::Limits, spawned::Spawned, stats::Stats};

/// What all connections of one server share, apart from the service.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    /// The handlers, if they finish although their clients are gone.
    pub(crate) handlers: Option<Spawned>,
    cut: Mutex<Cut>,
    free: Semaphore,
    waiting: AtomicUsize,
    epoch: Instant,
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        stats: Arc<Stats>,
        ctx: &Context,
        finishes_handlers: bool,
    ) -> Self {
        Self {
            free: Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS)),
            limits,
            stats,
            handlers: finishes_handlers.then(|| Spawned::new(ctx.clone())),
            cut: Mutex::default(),
            waiting: AtomicUsize::new(0),
            epoch: Instant::now(),
        }
    }

    /// Waits for the right to call a handler; `None` if there is no place to wait, or the wait was
    /// too long.
    pub(crate) async fn admit(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.free.try_acquire() {
            return Some(permit);
        }
        let place = Place(&self.waiting);
        // Counted before it is compared, so that two requests cannot both take the last place.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.queue {
            return None;
        }
        let permit = timeout(self.limits.queue_timeout, self.free.acquire()).await;
        drop(place);
        // The semaphore is never closed.
        permit.ok()?.ok()
    }

    /// Returns the time since the epoch, in microseconds.
    pub(crate) fn now(&self) -> u64 {
        // A u64 of microseconds is half a million years.
        self.epoch.elapsed().as_micros() as u64
    }

    pub(crate) fn instant(&self, micros: u64) -> Instant {
        self.epoch + Duration::from_micros(micros)
    }

    pub(crate) fn cut(&self) -> MutexGuard<'_, Cut> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue. The drop leaves it.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
