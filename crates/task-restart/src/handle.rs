//! A handle that asks for another run.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::shared::Shared;

/// Asks a restarting task for another run: to read a new certificate, to take over a new
/// configuration. Returned by [`Restarting::handle`](crate::Restarting::handle).
///
/// It is cheap to clone.
///
/// # Examples
///
/// ```
/// use task_core::{Context, task_fn};
/// use task_restart::restarting;
/// # fn load_certificate() -> anyhow::Result<u32> { Ok(1) }
/// # async fn serve(_: Context, _: u32) -> anyhow::Result<()> { Ok(()) }
///
/// # fn main() -> anyhow::Result<()> {
/// let server = restarting(|| {
///     let certificate = load_certificate()?; // anew for each run
///     Ok(task_fn("server", async move |ctx| serve(ctx, certificate).await))
/// })?;
/// let handle = server.handle();
/// // manager.run(server)?;
/// assert!(handle.restart("new certificate"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RestartHandle(Arc<Shared>);

impl RestartHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Asks for a run that begins after this call, and returns at once whether the task can still
    /// have one.
    ///
    /// The run at hand is cancelled. It is dropped if it has not ended after the task's
    /// [`run_stop_timeout`](crate::Restarting::run_stop_timeout), and then the factory is called
    /// for the next one. A back-off that the task waits in ends at once. None of this counts as a
    /// failure. If there are several such calls before that run begins, it is the one for all of
    /// them.
    ///
    /// If the group is being stopped, nothing happens. Returns `false` once the task has ended.
    pub fn restart(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.0.request(reason.into())
    }

    /// Returns whether the task has ended, or was dropped without being run.
    pub fn is_ended(&self) -> bool {
        self.0.is_over()
    }
}

impl fmt::Debug for RestartHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestartHandle").field("is_ended", &self.is_ended()).finish_non_exhaustive()
    }
}
