//! How long signals stay captured: until the group's report is made, or until the task is dropped
//! without having run.
//!
//! A task of the support phase ends before the cleanups run, and signals must neither be swallowed
//! nor kill the process meanwhile. So the lease outlives the task: a future that waits for the
//! group's end is polled on the thread that wakes it. It needs no runtime and no thread.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{self, Wake, Waker},
};

use task_core::{Context, Step};

use crate::{
    panics::lock,
    platform::{Claim, Closer},
};

/// Captured signals, which each holder of this value can release.
///
/// The claim is dropped first, so that signals act by default before their inbox is closed.
#[derive(Debug)]
pub(crate) struct Lease(Mutex<Option<(Claim, Closer)>>);

impl Lease {
    pub(crate) fn new(claim: Claim, closer: Closer) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some((claim, closer)))))
    }

    /// Releases the signals. They are released when this returns, also to a second caller.
    pub(crate) fn end(&self) {
        // Dropped under the lock, which is always taken before that of the claims' records: a
        // caller that finds nothing to release may have a signal act by default at once.
        *lock(&self.0) = None;
    }
}

/// Waits for the group's end without a runtime, and ends the lease then.
///
/// Wakers run outside of the locks of a manager (invariant 9 of `task-manager`), and a poll neither
/// blocks nor wakes this waker, so the lock here is held briefly and never taken twice by a thread.
pub(super) struct EndWatch(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl EndWatch {
    pub(super) fn start(context: Context, lease: Arc<Lease>) {
        Arc::new(Self(Mutex::new(Some(Box::pin(wait_for_end(context, lease)))))).wake();
    }
}

impl Wake for EndWatch {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = task::Context::from_waker(&waker);
        let ended = lock(&self.0).take_if(|future| future.as_mut().poll(&mut cx).is_ready());
        // Not under the lock.
        drop(ended);
    }
}

/// Follows the group's changes only from the task's own stop on. Before that there is nothing to
/// wait for, and a busy group changes often.
async fn wait_for_end(context: Context, lease: Arc<Lease>) {
    context.cancelled().await;
    let mut group = context.group();
    while group.step() < Step::Ended {
        group.changed().await;
    }
    lease.end();
}
