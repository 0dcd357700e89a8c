//! A runtime for shuttle: its tasks are shuttle's, and so is the semaphore.

use std::{
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll},
};

pub(crate) use shuttle::future::AbortHandle;
use shuttle::{
    future::{
        self, JoinError,
        batch_semaphore::{BatchSemaphore, Fairness},
    },
    sync::atomic::{AtomicBool, Ordering},
};

/// Shuttle's tasks need no runtime.
pub(crate) struct NoRuntime;

#[derive(Clone)]
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, NoRuntime> {
        Ok(Self)
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let join = JoinHandle(ManuallyDrop::new(future::spawn(future)));
        // Shuttle changes tasks only here and there: the new one may have its turn before its
        // handle is known.
        AtomicBool::new(false).load(Ordering::SeqCst);
        join
    }
}

/// Never dropped, since that would detach the task, and a schedule ends without those that are
/// detached. So a task that is left behind shows as a deadlock.
pub(crate) struct JoinHandle<T>(ManuallyDrop<future::JoinHandle<T>>);

impl<T> JoinHandle<T> {
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.0.abort_handle()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll(cx)
    }
}

pub(crate) struct Places(BatchSemaphore);

impl Places {
    pub(crate) const MAX: usize = usize::MAX >> 3;

    pub(crate) fn new(count: usize) -> Self {
        Self(BatchSemaphore::new(count, Fairness::StrictlyFair))
    }

    pub(crate) fn try_take(&self) -> bool {
        self.0.try_acquire(1).is_ok()
    }

    pub(crate) async fn take(&self) {
        let _ = self.0.acquire(1).await;
    }

    pub(crate) fn free(&self) {
        self.0.release(1);
    }
}
