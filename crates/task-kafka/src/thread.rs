//! A thread for each call into librdkafka that blocks for as long as the brokers take: a commit, a
//! flush, a close.
//!
//! None may run on a worker of the runtime, nor on its blocking pool, which a runtime that is
//! dropped waits for. The process does not wait for these threads.

use std::{io, thread};

use anyhow::Context as _;
use tokio::sync::oneshot;

/// Runs `work` on a thread of its own, which goes on if the returned future is dropped.
pub(crate) fn on_thread<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = anyhow::Result<R>> {
    let (result, receiver) = oneshot::channel();
    let started: io::Result<_> = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = result.send(work());
    });
    async move {
        started.with_context(|| format!("failed to start thread `{name}`"))?;
        receiver.await.with_context(|| format!("thread `{name}` panicked"))
    }
}
