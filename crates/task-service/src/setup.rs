//! Running the setup concurrently with the group that it fills, and judging how it ended.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use task_core::Step;
use task_manager::{Manager, Panic, RefusedReason};

/// How many causes of an error are searched for a refusal: a chain of sources may be endless.
const MAX_CAUSES: usize = 32;

/// How the setup ended.
pub(crate) enum Setup {
    Done,
    Failed(anyhow::Error),
    /// The shutdown dropped it, or refused what it added.
    Cancelled,
    /// It failed for another reason while the group was being stopped.
    FailedLate(anyhow::Error),
}

/// Runs the setup to its end, or until the group's tasks are being stopped.
pub(crate) async fn run<F>(manager: &Manager, setup: F) -> Setup
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    let mut setup: Pin<Box<dyn Future<Output = anyhow::Result<()>> + '_>> =
        Box::pin(async move { setup(manager).await });
    let mut group = manager.group();
    let result = loop {
        // Created before the step is read, so that no change in between is missed.
        let mut changed = pin!(group.changed());
        let turn = poll_fn(|cx| {
            match Panic::catch(|| setup.as_mut().poll(cx)) {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Some(Setup::Done)),
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Some(judge(manager, error))),
                Err(panic) => return Poll::Ready(Some(Setup::Failed(anyhow::anyhow!("{panic}")))),
                Ok(Poll::Pending) => {}
            }
            if is_stopping(manager) {
                return Poll::Ready(Some(Setup::Cancelled));
            }
            changed.as_mut().poll(cx).map(|()| None)
        })
        .await;
        if let Some(result) = turn {
            break result;
        }
    };
    match Panic::catch(|| drop(setup)) {
        Err(panic) if !matches!(result, Setup::Failed(_)) => {
            Setup::Failed(anyhow::anyhow!("{panic}").context("dropping the setup"))
        }
        _ => result,
    }
}

fn judge(manager: &Manager, error: anyhow::Error) -> Setup {
    if !is_stopping(manager) {
        Setup::Failed(error)
    } else if is_refusal(&error) {
        Setup::Cancelled
    } else {
        Setup::FailedLate(error)
    }
}

fn is_stopping(manager: &Manager) -> bool {
    manager.group().step() >= Step::Stopping
}

/// Returns whether `error`, or one of its sources, is a task or cleanup that came too late.
fn is_refusal(error: &anyhow::Error) -> bool {
    // The `source` methods on the way are the user's, and may panic.
    let is_refusal = Panic::catch(|| {
        let mut causes = error.chain().take(MAX_CAUSES);
        causes.any(|cause| cause.downcast_ref().is_some_and(RefusedReason::is_too_late))
    });
    is_refusal.unwrap_or(false)
}
