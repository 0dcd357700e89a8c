//! What the manager needs of a runtime. In the schedule tests, shuttle stands in for Tokio.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The stand-in lives with the tests that it is for.
#[cfg(task_shuttle)]
#[path = "../tests/shuttle/rt.rs"]
mod modelled;

#[cfg(task_shuttle)]
pub(crate) use self::modelled::{Handle, Instant, JoinHandle, sleep, sleep_until};
#[cfg(not(task_shuttle))]
pub(crate) use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// Moves the task that this worker woke last to where other workers can take it, in case the caller
/// blocks. Tokio keeps that task for the worker itself; now it keeps one that does nothing.
pub(crate) fn pass_on_last_woken() {
    #[cfg(not(task_shuttle))]
    if tokio::task::try_id().is_some()
        && let Ok(handle) = Handle::try_current()
        && handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread
    {
        drop(handle.spawn(async {}));
    }
}

/// Whether there are threads beside the runtime. Shuttle knows only those that it schedules, so the
/// deadline thread, which belongs to the process, is off there.
pub(crate) const HAS_OWN_THREADS: bool = cfg!(not(task_shuttle));

/// Resolves with the output of `first`, or with `None` once `second` is ready before it.
pub(crate) async fn first_or<F: Future>(first: F, second: impl Future) -> Option<F::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let either = poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => second.as_mut().poll(cx).map(|_| None),
    });
    either.await
}
