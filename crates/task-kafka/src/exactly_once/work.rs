//! Who transforms the messages of a transaction: the one who receives them, or workers.

use std::{panic::resume_unwind, time::Duration};

use anyhow::anyhow;
use tokio::{sync::mpsc, time::timeout};

use super::{batch::Batch, transaction::TransactionError};
use crate::{
    Producer, Transform,
    decide::{AtStop, Decider},
    dispatch::Entry,
    parts::Parts,
    workers::{CloneTransform, Workers},
};

/// How long workers may take to drop their transforms.
const WORKERS_END_TIMEOUT: Duration = Duration::from_millis(200);

/// How messages are transformed and sent.
pub(super) enum Work<T: Transform> {
    /// By the one who receives them, one after the other.
    Here(Decider<T>),
    /// At once.
    Workers(Pool<T>),
}

/// The workers, which live until a transaction is aborted.
pub(super) struct Pool<T: Transform> {
    transform: T,
    clone: CloneTransform<T>,
    workers: Option<Workers>,
    queue: mpsc::UnboundedSender<Entry<T::Effect>>,
    done: mpsc::UnboundedReceiver<Entry<T::Effect>>,
}

impl<T: Transform> Work<T> {
    pub(super) fn new(parts: &Parts<'_>, transform: T, clone: Option<CloneTransform<T>>) -> Self {
        let Some(clone) = clone else {
            return Self::Here(parts.decider(transform, AtStop::Drop));
        };
        let (queue, done) = mpsc::unbounded_channel();
        Self::Workers(Pool { transform, clone, workers: None, queue, done })
    }

    /// Starts the workers, unless they run.
    pub(super) fn start(&mut self, parts: &Parts<'_>) {
        if let Self::Workers(Pool { transform, clone, workers: workers @ None, queue, .. }) = self {
            *workers = Some(Workers::start(parts, transform, *clone, queue));
        }
    }

    /// Drops the transforms of the workers at their awaits, and adds what they have done to the
    /// batch.
    pub(super) async fn stop(&mut self, batch: &mut Batch<T::Effect>) {
        let Self::Workers(pool) = self else { return };
        if let Some(mut workers) = pool.workers.take() {
            // Their failures came after the one that has ended the transaction. One that blocks its
            // thread is left behind.
            let _ = timeout(WORKERS_END_TIMEOUT, workers.abort(&mut Vec::new())).await;
        }
        pool.take_done(batch);
    }

    /// Waits until a worker fails. A panic of one is resumed.
    pub(super) async fn failed(&mut self, producer: &Producer) -> TransactionError {
        match self {
            Self::Here(_) => std::future::pending().await,
            Self::Workers(pool) => pool.failed(producer).await,
        }
    }
}

impl<T: Transform> Pool<T> {
    /// Adds the messages that were transformed and sent to the batch.
    pub(super) fn take_done(&mut self, batch: &mut Batch<T::Effect>) {
        while let Ok(entry) = self.done.try_recv() {
            batch.sent.push(entry);
        }
    }

    /// Waits until a worker fails. A panic of one is resumed.
    pub(super) async fn failed(&mut self, producer: &Producer) -> TransactionError {
        let Some(workers) = &mut self.workers else { return std::future::pending().await };
        match workers.failed().await {
            Ok(Ok(())) => TransactionError::Fatal(anyhow!("a worker ended")),
            Ok(Err(error)) => TransactionError::of_send(producer, error),
            Err(panic) => resume_unwind(panic),
        }
    }
}
