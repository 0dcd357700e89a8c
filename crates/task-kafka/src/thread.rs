//! Dedicated threads for work that blocks on the brokers: a commit, a flush, a close.
//!
//! None of it may run on a worker of the runtime, nor on the runtime's blocking pool: dropping a
//! runtime waits for its pool. Neither the runtime nor the process waits for the threads of this
//! module.

use std::{io, thread, time::Duration};

use anyhow::{Context as _, anyhow};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    select,
    sync::oneshot,
    time::timeout,
};

/// How much longer than its own time limit a call may take before it is abandoned: librdkafka looks
/// at the limit late, and in places never.
const SLACK: Duration = Duration::from_secs(1);

/// Runs `work` on a dedicated thread.
///
/// # Cancel safety
///
/// Dropping the returned future does not stop the thread; its result is discarded.
pub(crate) fn on_thread<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = anyhow::Result<R>> {
    let (result, receiver) = oneshot::channel();
    let started: io::Result<_> = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Fails only if the receiver was dropped.
        let _ = result.send(work());
    });
    async move {
        started.with_context(|| format!("failed to start thread `{name}`"))?;
        receiver.await.with_context(|| format!("thread `{name}` panicked"))
    }
}

/// Runs `work`, which has to return within `limit`, on a dedicated thread.
///
/// # Errors
///
/// Returns an error if it has not returned a second later. The thread is then abandoned: nobody
/// waits for it, and what it holds is not usable any more.
///
/// # Cancel safety
///
/// Dropping the returned future does not stop the thread; its result is discarded.
pub(crate) async fn on_thread_within<R: Send + 'static>(
    name: &'static str,
    limit: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> anyhow::Result<R> {
    timeout(limit.saturating_add(SLACK), on_thread(name, work))
        .await
        .map_err(|_| anyhow!("thread `{name}` did not return within {limit:?}"))?
}

/// Polls `work`, which may block in a rebalance callback, without blocking the rest of the task.
///
/// On a runtime with several workers `work` is polled in place, and the callback hands over its
/// worker with `block_in_place`. A current-thread runtime has no other worker, so a dedicated
/// thread polls `work`.
///
/// # Cancel safety
///
/// Dropping the returned future drops `work`, on the thread that polls it.
pub(crate) async fn may_block<R: Send + 'static>(
    work: impl Future<Output = R> + Send + 'static,
) -> anyhow::Result<R> {
    let runtime = Handle::current();
    if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
        return Ok(work.await);
    }
    let (_alive, dropped) = oneshot::channel::<()>();
    let worked = on_thread("kafka-receive", move || {
        runtime.block_on(async {
            select! {
                output = work => Some(output),
                _ = dropped => None,
            }
        })
    });
    // `None` only after this future was dropped.
    Ok(worked.await?.expect("`_alive` lives as long as this future"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use tokio::{join, time::sleep};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn work_that_blocks_does_not_block_a_current_thread_runtime() {
        let (sender, receiver) = mpsc::channel();
        let work = async move { receiver.recv_timeout(LONG) };
        let rest = async {
            sleep(Duration::from_millis(1)).await;
            sender.send(7).unwrap();
        };
        let (worked, ()) = join!(may_block(work), rest);
        assert_eq!(worked.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn work_that_does_not_return_in_time_is_abandoned() {
        let (sender, receiver) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel::<()>();
        let work = move || {
            let _ended = ended;
            receiver.recv()
        };
        let error = on_thread_within("stuck", Duration::from_millis(1), work).await.unwrap_err();
        assert_eq!(error.to_string(), "thread `stuck` did not return within 1ms");
        assert_eq!(end.try_recv(), Err(mpsc::TryRecvError::Empty), "the thread is alive");
        drop(sender);
        assert_eq!(end.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[tokio::test]
    async fn work_is_dropped_with_the_future_that_waits_for_it() {
        let (alive, ended) = mpsc::channel::<()>();
        let work = async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        };
        let unwanted = may_block(work);
        drop(timeout(Duration::from_millis(1), unwanted).await);
        assert_eq!(ended.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
