//! The requests of an HTTP/2 connection, each in a task of its own, which its connection owns.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use task_core::Context;
use task_listen::in_task;
use tokio::task::JoinSet;

/// Spawns what hyper asks for, as a part of the task of a context.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    tasks: Arc<Mutex<JoinSet<()>>>,
    ctx: Context,
}

impl Streams {
    pub(crate) fn new(ctx: Context) -> Self {
        Self { tasks: Arc::default(), ctx }
    }

    /// Drops the futures of all streams, each at its next await.
    pub(crate) fn abort(&self) {
        self.lock().abort_all();
    }

    /// Waits until no stream is left.
    pub(crate) async fn ended(&self) {
        while poll_fn(|cx| self.lock().poll_join_next(cx)).await.map(log_panic).is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let mut tasks = self.lock();
        // Here, so that the set does not grow with streams that have ended.
        while let Some(ended) = tasks.try_join_next() {
            log_panic(ended);
        }
        tasks.spawn(in_task(self.ctx.clone(), stream));
    }
}

/// Logs a panic. Those of services are caught earlier; that of a body gets here.
pub(crate) fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection panicked");
    }
}
