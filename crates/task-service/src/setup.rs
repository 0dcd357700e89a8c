//! Running the setup: beside the group that it fills, and with its panics caught.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use task_core::Step;
use task_manager::Manager;

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
    let mut setup = pin!(setup(manager));
    let mut group = manager.group();
    loop {
        // Taken before the look at the step, so that no change is missed in between.
        let mut changed = pin!(group.changed());
        let turn = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| setup.as_mut().poll(cx)));
            match polled {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Some(Setup::Done)),
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Some(failed(manager, error))),
                Err(payload) => {
                    let text =
                        payload.downcast_ref::<&'static str>().map(|text| String::from(*text));
                    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                    // A payload's drop may panic as well; a leaked one harms nobody at this point.
                    std::mem::forget(payload);
                    let text = text.unwrap_or_else(|| String::from("(a payload that is no text)"));
                    return Poll::Ready(Some(Setup::Failed(anyhow::anyhow!("panicked: {text}"))));
                }
                Ok(Poll::Pending) => {}
            }
            if is_stopping(manager) {
                return Poll::Ready(Some(Setup::GivenUp(None)));
            }
            changed.as_mut().poll(cx).map(|()| None)
        })
        .await;
        if let Some(setup) = turn {
            return setup;
        }
    }
}

fn failed(manager: &Manager, error: anyhow::Error) -> Setup {
    if is_stopping(manager) { Setup::GivenUp(Some(error)) } else { Setup::Failed(error) }
}

fn is_stopping(manager: &Manager) -> bool {
    manager.group().step() >= Step::Stopping
}
