//! Panics of the user's code, caught so that the stop's remaining steps still run.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use task_core::Context;

/// The payload of a panic.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Polls `work` as a part of the task, and returns its panic as a value.
///
/// Within `work`, log events and panics belong to the task, whichever thread polls it: a panic
/// fails the task at that instant. The caller resumes it after the steps that must not be skipped,
/// such as leaving the group; a manager knows it by then, and records it once.
pub(crate) async fn catch_panic<R>(
    ctx: Context,
    work: impl Future<Output = R>,
) -> Result<R, Panic> {
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
