//! The setup of a service, run as `task-service` runs it.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use task_core::scope::{catch, discard};
use task_manager::Manager;

/// How long a setup that is asked to end may take to be dropped.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the setup as a member of the group. Its failure begins the shutdown; a stop drops it at its
/// next await, and an error that it returns then is none.
pub(crate) async fn set_up<S>(manager: &Manager, setup: &S)
where
    S: AsyncFn(&Manager) -> anyhow::Result<()>,
{
    let Ok(mut member) = manager.begin_setup(STOP_TIMEOUT) else { return };
    let ctx = member.context();
    let mut setting_up: Pin<Box<dyn Future<Output = anyhow::Result<()>> + '_>> =
        Box::pin(async move { setup(manager).await });
    let polling = poll_fn(|cx| match catch(|| setting_up.as_mut().poll(cx)) {
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    });
    match ctx.or_cancelled(polling).await {
        Err(_cancelled) => {}
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) if ctx.is_cancelled() => discard(error),
        Ok(Ok(Err(error))) => member.failed(error),
        Ok(Err(panic)) => member.failed(panic),
    }
    if let Err(panic) = catch(|| drop(setting_up)) {
        member.failed(anyhow::Error::from(panic).context("dropping the setup"));
    }
}
