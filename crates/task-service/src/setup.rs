//! Running the setup as a member of the group that it fills, and judging how it ended.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use task_core::scope::{Aside, guarded_text};
use task_manager::{Manager, Panic, Setup};

use crate::output;

type SetupFuture<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// Runs the setup to its end, or until it is asked to end, which drops it at its next await. It is
/// gone when `member` is dropped, at the end of this function: until then the group waits. Returns
/// a log line that is on its way.
pub(crate) async fn run<F>(manager: &Manager, mut member: Setup, setup: F) -> Option<Aside>
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    let mut setup: SetupFuture<'_> = Box::pin(async move { setup(manager).await });
    let ctx = member.context();
    let logged = match ctx.or_cancelled(poll_fn(|cx| poll(&mut setup, cx))).await {
        Err(_cancelled) => log_cancelled(),
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) if ctx.is_cancelled() => log_late_error(error),
        Ok(Ok(Err(error))) => {
            member.failed(error);
            None
        }
        Ok(Err(panic)) => {
            member.failed(anyhow::anyhow!("{panic}"));
            None
        }
    };
    if let Err(panic) = Panic::catch(|| drop(setup)) {
        member.failed(anyhow::anyhow!("{panic}").context("dropping the setup"));
    }
    drop(member);
    logged
}

/// Logs that the setup did not run to its end.
pub(crate) fn log_cancelled() -> Option<Aside> {
    output::log(|| tracing::info!(target: "task", "setup cancelled by the shutdown"))
}

/// Logs an error that the shutdown may well have caused, and drops it. Both may block.
fn log_late_error(error: anyhow::Error) -> Option<Aside> {
    output::log(move || {
        let error = guarded_text(format_args!("{error:#}"));
        tracing::warn!(target: "task", error, "setup failed during the shutdown");
    })
}

/// Polls the setup. A panic is a value.
fn poll(
    setup: &mut SetupFuture<'_>,
    cx: &mut Context<'_>,
) -> Poll<Result<anyhow::Result<()>, Panic>> {
    match Panic::catch(|| setup.as_mut().poll(cx)) {
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    }
}
