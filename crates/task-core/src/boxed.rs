//! One type for tasks of different types.

use std::{borrow::Cow, fmt, pin::Pin};

use crate::{Context, Phase, Task, Timeout};

type RunFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// A task of any type, in a box. Returned by [`Task::boxed`].
///
/// It has the name, the phase and the gate of the task inside, and can be adjusted as any other.
///
/// # Examples
///
/// A function that chooses between tasks of different types:
///
/// ```
/// use std::time::Duration;
/// use task_core::{BoxTask, Context, Task, blocking_task, task_fn};
///
/// fn purge(blocks: bool) -> BoxTask {
///     if blocks {
///         blocking_task("purge", |ctx: Context| {
///             while !ctx.wait_cancelled(Duration::from_secs(60)) {}
///             Ok(())
///         })
///         .boxed()
///     } else {
///         task_fn("purge", async |ctx| { ctx.cancelled().await; Ok(()) }).boxed()
///     }
/// }
/// assert_eq!(purge(true).name(), purge(false).name());
/// ```
#[must_use = "a task does nothing until a manager runs it"]
pub struct BoxTask(Box<dyn ErasedTask>);

impl BoxTask {
    pub(crate) fn new(task: impl Task) -> Self {
        Self(Box::new(task))
    }
}

impl Task for BoxTask {
    fn name(&self) -> Cow<'static, str> {
        self.0.name()
    }

    fn phase(&self) -> Phase {
        self.0.phase()
    }

    fn gates_readiness(&self) -> bool {
        self.0.gates_readiness()
    }

    fn stop_timeout(&self) -> Timeout {
        self.0.stop_timeout()
    }

    fn admitted(&mut self, ctx: &Context) {
        self.0.admitted(ctx);
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        self.0.run(ctx).await
    }

    /// Returns the task as it is: a box in a box would only cost.
    fn boxed(self) -> BoxTask {
        self
    }
}

impl fmt::Debug for BoxTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxTask").finish_non_exhaustive()
    }
}

/// The dyn-compatible mirror of [`Task`].
trait ErasedTask: Send {
    fn name(&self) -> Cow<'static, str>;
    fn phase(&self) -> Phase;
    fn gates_readiness(&self) -> bool;
    fn stop_timeout(&self) -> Timeout;
    fn admitted(&mut self, ctx: &Context);
    fn run(self: Box<Self>, ctx: Context) -> RunFuture;
}

impl<T: Task> ErasedTask for T {
    fn name(&self) -> Cow<'static, str> {
        Task::name(self)
    }

    fn phase(&self) -> Phase {
        Task::phase(self)
    }

    fn gates_readiness(&self) -> bool {
        Task::gates_readiness(self)
    }

    fn stop_timeout(&self) -> Timeout {
        Task::stop_timeout(self)
    }

    fn admitted(&mut self, ctx: &Context) {
        Task::admitted(self, ctx);
    }

    fn run(self: Box<Self>, ctx: Context) -> RunFuture {
        Box::pin(Task::run(*self, ctx))
    }
}
