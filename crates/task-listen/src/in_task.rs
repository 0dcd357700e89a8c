//! Work of the task beside its own future: connections, checks, scrapes.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
};

use task_core::Context;

/// Polls `work` as a part of the task, in whichever spawned task: its log events are the task's,
/// and user code within it that waits for its own group is refused, where it would wait for itself.
pub async fn in_task<R>(ctx: Context, work: impl Future<Output = R>) -> R {
    let mut work = pin!(work);
    poll_fn(|cx| call_in_task(&ctx, || work.as_mut().poll(cx))).await
}

/// Calls `body` as a part of the task; see [`in_task`].
///
/// A panic is caught before it leaves the context: it is the caller's to judge, and not a failure
/// of the task.
pub fn call_in_task<R>(ctx: &Context, body: impl FnOnce() -> R) -> R {
    let called = ctx.enter(|| catch_unwind(AssertUnwindSafe(body)));
    called.unwrap_or_else(|payload| resume_unwind(payload))
}
