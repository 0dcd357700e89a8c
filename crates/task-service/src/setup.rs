//! Running the setup: beside the group that it fills, and with its panics caught.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use task_core::Step;
use task_manager::{Manager, Panic};

/// How the setup went.
pub(crate) enum Setup {
    Done,
    Failed(anyhow::Error),
    /// The group was stopped meanwhile: the setup was dropped, or failed by then, as it must when its tasks are refused.
    GivenUp(Option<anyhow::Error>),
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
        // Taken before the look at the step, so that no change is missed in between.
        let mut changed = pin!(group.changed());
        let turn = poll_fn(|cx| {
            match Panic::catch(|| setup.as_mut().poll(cx)) {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Some(Setup::Done)),
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Some(failed(manager, error))),
                Err(panic) => return Poll::Ready(Some(Setup::Failed(anyhow::anyhow!("{panic}")))),
                Ok(Poll::Pending) => {}
            }
            if is_stopping(manager) {
                return Poll::Ready(Some(Setup::GivenUp(None)));
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

fn failed(manager: &Manager, error: anyhow::Error) -> Setup {
    if is_stopping(manager) { Setup::GivenUp(Some(error)) } else { Setup::Failed(error) }
}

fn is_stopping(manager: &Manager) -> bool {
    manager.group().step() >= Step::Stopping
}
