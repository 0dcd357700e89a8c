//! Tokio tasks that have an owner: connections, the streams of HTTP/2, and handlers.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use task_core::Context;
use task_listen::in_task;
use tokio::task::{AbortHandle, JoinSet};

/// Tokio tasks that are a part of the task of a context. They are aborted when the last clone is
/// dropped.
#[derive(Clone, Debug)]
pub(crate) struct Spawned {
    tasks: Arc<Mutex<JoinSet<()>>>,
    ctx: Context,
}

impl Spawned {
    pub(crate) fn new(ctx: Context) -> Self {
        Self { tasks: Arc::default(), ctx }
    }

    /// Spawns a task.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.lock();
        // Here, so that the set does not grow with tasks that have ended.
        while let Some(ended) = tasks.try_join_next() {
            log_panic(ended);
        }
        tasks.spawn(in_task(self.ctx.clone(), work))
    }

    /// Drops the futures of all tasks, each at its next await.
    pub(crate) fn abort(&self) {
        self.lock().abort_all();
    }

    /// Waits until no task is left.
    pub(crate) async fn ended(&self) {
        while poll_fn(|cx| self.lock().poll_join_next(cx)).await.map(log_panic).is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs a panic. Those of services are caught earlier; that of a body gets here.
pub(crate) fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection panicked");
    }
}
