//! Parts of the task that are polled apart from it: on another worker, or on a thread of their own.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use task_core::Context;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    select,
    sync::oneshot,
};

use crate::thread::on_thread;

/// A panic's payload.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Polls `work` as a part of the task: its log lines and panics are the task's. A panic is
/// returned, so that it cannot skip what has to be done before the task ends.
pub(crate) async fn guarded<R>(ctx: Context, work: impl Future<Output = R>) -> Result<R, Panic> {
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| {
        let poll = || ctx.enter(|| work.as_mut().poll(cx));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Polls `work`, which may block for a rebalance, where that does not keep the rest of the task
/// from going on: here, if the runtime has other workers; else on a thread of its own. Dropped
/// there when this future is.
pub(crate) async fn aside<R: Send + 'static>(
    work: impl Future<Output = R> + Send + 'static,
) -> anyhow::Result<R> {
    let runtime = Handle::current();
    if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
        return Ok(work.await);
    }
    let (_wanted, unwanted) = oneshot::channel::<()>();
    let worked = on_thread("kafka-receive", move || {
        runtime.block_on(async {
            select! {
                output = work => Some(output),
                _ = unwanted => None,
            }
        })
    });
    // `None` only after this future was dropped.
    Ok(worked.await?.expect("nobody else ends it"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{sync::mpsc, time::Duration};

    use tokio::{join, time::sleep};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn work_that_blocks_does_not_keep_a_current_thread_runtime_from_going_on() {
        let (sender, receiver) = mpsc::channel();
        let work = async move { receiver.recv_timeout(LONG) };
        let rest = async {
            sleep(Duration::from_millis(1)).await;
            sender.send(7).unwrap();
        };
        let (worked, ()) = join!(aside(work), rest);
        assert_eq!(worked.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn work_ends_when_nobody_wants_it_any_more() {
        let (alive, gone) = mpsc::channel::<()>();
        let work = async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        };
        let unwanted = aside(work);
        drop(tokio::time::timeout(Duration::from_millis(1), unwanted).await);
        assert_eq!(gone.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
