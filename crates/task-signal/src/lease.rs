//! How long signals stay captured: until the report of the group is made, or the task is gone without one.
//!
//! A task of the support phase ends before the cleanups do, and signals must neither be swallowed nor kill in the
//! meantime. So the lease outlives the task: a future that waits for the group's end is polled by its own waker, on
//! whichever thread brings the news. It needs no runtime and no thread.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Wake, Waker},
};

use task_core::{Context, Step};

use crate::platform::{Claim, Closer};

/// Captured signals, which whoever holds this can let go, once for all.
pub(crate) struct Lease(Mutex<Option<Kept>>);

struct Kept {
    /// First, so that signals act by default before their inbox is closed.
    _claim: Claim,
    _closer: Option<Closer>,
}

impl Lease {
    pub(crate) fn new(claim: Claim, closer: Option<Closer>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Kept { _claim: claim, _closer: closer }))))
    }

    /// Lets the signals go.
    pub(crate) fn end(&self) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(kept);
    }
}

/// Ends the lease when the task that owns this is dropped, unless the task runs in a group; then, when that has ended.
pub(crate) struct Tenant {
    lease: Arc<Lease>,
    serves: Option<(Context, Arc<Watch>)>,
}

impl Tenant {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self { lease, serves: None }
    }

    pub(crate) fn lease(&self) -> Arc<Lease> {
        Arc::clone(&self.lease)
    }

    /// Hands the end of the lease over to the group behind `context`.
    pub(crate) fn serve(&mut self, context: &Context) {
        let watch = Watch::start(wait_for_end(context.clone()), Arc::clone(&self.lease));
        self.serves = Some((context.clone(), watch));
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        match &self.serves {
            // A group that has never started a task is none: the scope of a test, which will make no report.
            Some((context, watch)) if context.group().snapshot().totals.started == 0 => {
                watch.stop();
                self.lease.end();
            }
            Some(_) => {}
            None => self.lease.end(),
        }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("serves", &self.serves.is_some()).finish_non_exhaustive()
    }
}

/// Looks at the group's changes from the task's own stop on: before that it has nothing to wait for, and a busy group
/// changes often.
async fn wait_for_end(context: Context) {
    context.cancelled().await;
    let mut group = context.group();
    while group.step() < Step::Ended {
        group.changed().await;
    }
}

type WatchFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that is polled wherever it is woken.
struct Watch {
    future: Mutex<Option<WatchFuture>>,
    is_woken: AtomicBool,
    lease: Arc<Lease>,
}

impl Watch {
    fn start(future: impl Future<Output = ()> + Send + 'static, lease: Arc<Lease>) -> Arc<Self> {
        let future: WatchFuture = Box::pin(future);
        let watch = Arc::new(Self {
            future: Mutex::new(Some(future)),
            is_woken: AtomicBool::new(false),
            lease,
        });
        Arc::clone(&watch).wake();
        watch
    }

    /// Forgets the future, which is what breaks the cycle of it and its waker.
    fn stop(&self) {
        let future = self.future.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(future);
    }
}

impl Wake for Watch {
    /// Polls the future, unless another thread is at it: that one looks at `is_woken` once more after it has let go
    /// of the lock, so no wake is lost and no thread waits.
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        while self.is_woken.load(Ordering::SeqCst) {
            let mut slot = match self.future.try_lock() {
                Ok(slot) => slot,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.is_woken.store(false, Ordering::SeqCst);
            let Some(future) = slot.as_mut() else { return };
            let waker = Waker::from(Arc::clone(&self));
            if future.as_mut().poll(&mut task::Context::from_waker(&waker)).is_ready() {
                let done = slot.take();
                drop(slot);
                drop(done);
                self.lease.end();
                return;
            }
        }
    }
}
