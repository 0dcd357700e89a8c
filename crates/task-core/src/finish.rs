//! A wait that goes on after the stop, for a limited time.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{Cancelled, Context};

/// The most of a task's time that is kept for what the task does after the wait.
const MARGIN: Duration = Duration::from_millis(250);

impl Context {
    /// Waits for `future`, and once this task is cancelled, for at most `grace` more: for a server
    /// that closes gracefully, whose last connections may never end. Requires the feature `time`.
    ///
    /// The grace is shorter where the task has less time left. Then a tenth of
    /// [`remaining`](Self::remaining), at most 250 ms, is kept for the drop of `future` and for
    /// what the task does next. A shutdown that is [escalated](Self::escalate) may abort the task
    /// before that.
    ///
    /// `future` takes precedence over the stop and over the end of its grace. It is polled, and
    /// has its grace, also if the task is cancelled before this call.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if `future` did not end within its grace. It is dropped by then, and the
    /// task's [status](Self::set_status) says so: `did not finish within 5s of the stop`. As the
    /// task's own error it is a clean end. A task for which it is a failure returns another error.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with its timer enabled: at the first poll.
    ///
    /// # Cancel safety
    ///
    /// That of `future`, which is dropped at the end of its grace, or with this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_core::Context;
    /// # struct Server;
    /// # impl Server {
    /// #     fn with_graceful_shutdown(self, _: impl Future<Output = ()> + Send + 'static) -> Self {
    /// #         self
    /// #     }
    /// #     async fn run(self) -> std::io::Result<()> { Ok(()) }
    /// # }
    ///
    /// async fn serve(ctx: Context, server: Server) -> anyhow::Result<()> {
    ///     let served = server.with_graceful_shutdown(ctx.cancelled_owned()).run();
    ///     // The server waits for its open connections: here, for at most five seconds.
    ///     ctx.finish_within(Duration::from_secs(5), served).await??;
    ///     Ok(())
    /// }
    /// ```
    pub async fn finish_within<F: Future>(
        &self,
        grace: Duration,
        future: F,
    ) -> Result<F::Output, Cancelled> {
        // Made for its panic alone, which would otherwise come at the stop.
        drop(sleep(Duration::ZERO));
        let mut future = pin!(future);
        let mut cancelled = self.cancelled();
        let output = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => pin!(&mut cancelled).poll(cx).map(|()| None),
        })
        .await;
        if let Some(output) = output {
            return Ok(output);
        }
        let grace = self.remaining().map_or(grace, |left| grace.min(left - margin(left)));
        // Tokio's `timeout` looks at the clock even if `future` uses up the cooperative budget.
        timeout(grace, future).await.map_err(|_| {
            self.set_status(format!("did not finish within {grace:?} of the stop"));
            Cancelled
        })
    }
}

/// Returns how much of the time that is left the task keeps for itself. Never more than all.
fn margin(left: Duration) -> Duration {
    MARGIN.min(left / 10)
}
