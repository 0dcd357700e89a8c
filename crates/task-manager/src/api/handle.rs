//! A weak handle to a manager.

use std::borrow::Cow;
use std::sync::{Arc, Weak};

use task_core::{Context, Group, Step, Task};

use super::TaskHandle;
use crate::group::{Shared, group_view};
use crate::lifecycle::{Kind, Trigger};
use crate::report::{
    CauseKind, NotReady, NotReadyError, Reason, Refused, Report, ShutdownError, ShutdownErrorKind,
};

/// Reaches a manager without owning it: cheap to clone, and safe to keep in a task, a cleanup or a
/// request handler.
///
/// [`Manager::handle`](crate::Manager::handle) returns one. A handle is weak: it keeps neither the
/// manager nor its tasks alive, so a task that holds a handle to its own group closes no reference
/// cycle. Once the manager has been dropped and its group has ended, a handle refuses everything as
/// the manager does after its end.
///
/// # Examples
///
/// A task that runs other tasks of its group:
///
/// ```
/// use task_manager::{Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// let handle = manager.handle();
/// manager.run_ephemeral(task_fn("scheduler", async move |_| {
///     for number in 0..3 {
///         let job = handle.run_ephemeral(task_fn("job", async move |ctx| {
///             ctx.set_status(format!("job {number}"));
///             Ok(())
///         }))?;
///         job.ended().await;
///     }
///     Ok(())
/// }))?;
/// let report = manager.wait().await?;
/// assert_eq!(report.totals().completed, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ManagerHandle(pub(crate) Weak<Shared>);

impl ManagerHandle {
    /// Returns the manager of the task, or cleanup, whose context this is: with it, a task runs
    /// further tasks beside itself, and needs no handle passed in. `None` without a manager, as in
    /// a test of a task alone.
    ///
    /// It is the manager that the task was admitted to, also from a context inside another, such as
    /// that of a run that is restarted.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Context, Manager, ManagerHandle, task_fn};
    ///
    /// async fn accept(ctx: Context) -> anyhow::Result<()> {
    ///     let Some(manager) = ManagerHandle::of(&ctx) else { anyhow::bail!("no manager") };
    ///     manager.run_ephemeral(task_fn("session", async |_| Ok(())))?;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run_ephemeral(task_fn("accept", accept))?;
    /// assert_eq!(manager.wait().await?.totals().completed, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(ctx: &Context) -> Option<Self> {
        let shared = ctx.group().source::<Shared>()?;
        Some(Self(Arc::downgrade(&shared)))
    }

    /// Runs a critical task, as [`Manager::run`](crate::Manager::run) does.
    ///
    /// # Errors
    ///
    /// As [`Manager::run`](crate::Manager::run). If the manager no longer exists, the task is
    /// refused as [too late](Refused::is_too_late).
    pub fn run<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        let Some(shared) = self.0.upgrade() else {
            return Err(Refused::new(task, "a task", Reason::Ended));
        };
        shared.admit(task, Kind::Critical).map(TaskHandle)
    }

    /// Runs an ephemeral task, as [`Manager::run_ephemeral`](crate::Manager::run_ephemeral) does.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_ephemeral<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        let Some(shared) = self.0.upgrade() else {
            return Err(Refused::new(task, "a task", Reason::Ended));
        };
        shared.admit(task, Kind::Ephemeral).map(TaskHandle)
    }

    /// Registers a cleanup, as [`Manager::cleanup`](crate::Manager::cleanup) does.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the hook in it, once the report is made or if the manager no longer
    /// exists.
    ///
    /// # Examples
    ///
    /// A task that registers the cleanup of what it has made:
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let handle = manager.handle();
    /// manager.run(task_fn("connector", async move |_| {
    ///     handle.cleanup("connection", async || Ok(()))?;
    ///     Ok(())
    /// }))?;
    /// let report = manager.wait().await?;
    /// assert_eq!(report.cleanups()[0].name, "connection");
    /// # Ok(())
    /// # }
    /// ```
    pub fn cleanup<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let Some(shared) = self.0.upgrade() else {
            return Err(Refused::new(hook, name.into(), Reason::Ended));
        };
        shared.add_hook(name.into(), false, hook, |hook, _| hook())
    }

    /// Registers a cleanup with a context, as
    /// [`Manager::cleanup_with`](crate::Manager::cleanup_with) does.
    ///
    /// # Errors
    ///
    /// As [`cleanup`](Self::cleanup).
    pub fn cleanup_with<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let Some(shared) = self.0.upgrade() else {
            return Err(Refused::new(hook, name.into(), Reason::Ended));
        };
        shared.add_hook(name.into(), false, hook, |hook, ctx| hook(ctx))
    }

    /// Registers a cleanup that runs together with the one before it, as
    /// [`Manager::cleanup_beside`](crate::Manager::cleanup_beside) does.
    ///
    /// # Errors
    ///
    /// As [`cleanup`](Self::cleanup).
    pub fn cleanup_beside<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let Some(shared) = self.0.upgrade() else {
            return Err(Refused::new(hook, name.into(), Reason::Ended));
        };
        shared.add_hook(name.into(), true, hook, |hook, ctx| hook(ctx))
    }

    /// Requests the group to stop, and returns at once. It does nothing if the group no longer
    /// exists.
    ///
    /// Unlike [`Context::request_stop`](task_core::Context::request_stop), it gives no reason: the
    /// cause is [`Stopped`](CauseKind::Stopped).
    pub fn stop(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.trigger(CauseKind::Stopped, Trigger::Request);
        }
    }

    /// Waits until the group has ended, and returns the report, as
    /// [`Manager::wait`](crate::Manager::wait) does.
    ///
    /// While it waits, it keeps the group's record alive, so the report is returned even if the
    /// manager is dropped meanwhile. Once the manager is dropped and its group has ended, the
    /// report may no longer be available.
    ///
    /// # Errors
    ///
    /// As [`Manager::wait`](crate::Manager::wait). If the manager no longer exists,
    /// [`is_gone`](ShutdownError::is_gone) is true.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a later call returns the same result, as long as the manager
    /// exists.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let handle = manager.handle();
    /// manager.run(task_fn("worker", async |_| Ok(())))?;
    /// let waiter = tokio::spawn(async move { handle.wait().await.map(|report| report.totals()) });
    /// manager.wait().await?;
    /// assert_eq!(waiter.await??.completed, 1); // the same report
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// From inside of the group, it is refused:
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let handle = manager.handle();
    /// manager.run(task_fn("worker", async move |_| {
    ///     assert!(handle.wait().await.unwrap_err().is_inside());
    ///     Ok(())
    /// }))?;
    /// manager.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&self) -> Result<Report, ShutdownError> {
        let Some(shared) = self.0.upgrade() else {
            return Err(ShutdownError(ShutdownErrorKind::Gone));
        };
        shared.wait().await
    }

    /// Waits until every task that gates readiness is ready, as
    /// [`Manager::ready`](crate::Manager::ready) does.
    ///
    /// # Errors
    ///
    /// As [`Manager::ready`](crate::Manager::ready). A manager that no longer exists has ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ready(&self) -> Result<(), NotReadyError> {
        let Some(shared) = self.0.upgrade() else {
            return Err(NotReadyError(NotReady::ShuttingDown(Step::Ended)));
        };
        shared.ready().await
    }

    /// Returns the read-only view of the group; `None` if it no longer exists.
    pub fn group(&self) -> Option<Group> {
        self.0.upgrade().map(|shared| group_view(&shared))
    }
}
