//! Waits for the end of a group, to end a lease.
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

use super::{Lease, custody};
use crate::panics::lock;

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
    custody::end(&lease);
}
