//! What all connections of one server share, apart from the service.

use std::{
    pin::Pin,
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
    /// That of the task.
    pub(crate) ctx: Context,
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    /// The handlers, if they finish although their clients are gone.
    pub(crate) handlers: Option<Spawned>,
    admission: Admission,
    cut: Mutex<Cut>,
    epoch: Instant,
}

/// How many handlers may run, and how many requests wait. Each request writes it, from any thread,
/// so it has cache lines of its own: the fields beside it are read by all.
#[derive(Debug)]
#[repr(align(128))]
struct Admission {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        stats: Arc<Stats>,
        ctx: &Context,
        finishes_handlers: bool,
    ) -> Self {
        Self {
            admission: Admission {
                free: Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS)),
                waiting: AtomicUsize::new(0),
            },
            limits,
            stats,
            handlers: finishes_handlers.then(|| Spawned::new(ctx.clone())),
            ctx: ctx.clone(),
            cut: Mutex::default(),
            epoch: Instant::now(),
        }
    }

    /// Takes the right to call a handler, if one is free; [`give_back`](Self::give_back) returns it.
    pub(crate) fn try_admit(&self) -> bool {
        self.admission.free.try_acquire().map(SemaphorePermit::forget).is_ok()
    }

    /// Waits for the right to call a handler. Returns `false` if there is no place to wait, or the
    /// wait was too long.
    pub(crate) fn queue(self: Arc<Self>) -> Queued {
        Box::pin(async move {
            let Admission { free, waiting } = &self.admission;
            let place = Place(waiting);
            // Counted before it is compared, so that two requests cannot both take the last place.
            if waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.queue {
                return false;
            }
            let permit = timeout(self.limits.queue_timeout, free.acquire()).await;
            drop(place);
            // The semaphore is never closed.
            let permit = permit.ok().and_then(Result::ok);
            permit.map(SemaphorePermit::forget).is_some()
        })
    }

    /// Gives the right to call a handler back.
    pub(crate) fn give_back(&self) {
        self.admission.free.add_permits(1);
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

/// A request that waits for the right to call a handler.
pub(crate) type Queued = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A place in the queue. The drop leaves it.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
