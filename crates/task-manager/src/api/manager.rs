//! The owner of a group of tasks.

use std::{borrow::Cow, fmt, sync::Arc};

use task_core::{Group, Task};

use crate::{
    api::builder::ManagerBuilder,
    api::handle::ManagerHandle,
    api::task_handle::TaskHandle,
    group::settings::Settings,
    group::shared::Shared,
    group::view,
    lifecycle::machine::{Kind, Trigger},
    report::Report,
    report::cause::CauseKind,
    report::error::ShutdownError,
    report::not_ready::NotReadyError,
    report::refused::Refused,
};

/// Owns a group of tasks, from the first [`run`](Self::run) to the [`Report`].
///
/// It is not `Clone`: dropping it stops the group. [`handle`](Self::handle) gives a weak way to reach it, which tasks
/// and hooks may keep.
///
/// ```
/// # use task_manager::{Manager, task_fn};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.cleanup("database", async || Ok(()))?;
/// manager.run(task_fn("worker", async |ctx| {
///     ctx.cancelled().await;
///     Ok(())
/// }))?;
/// manager.run_ephemeral(task_fn("job", async |ctx| {
///     ctx.request_stop("the example is over");
///     Ok(())
/// }))?;
/// let report = manager.wait().await?;
/// assert_eq!(report.cleanups()[0].name, "database");
/// # Ok(()) }
/// ```
#[must_use = "dropping a manager stops its group; keep it and `wait`"]
pub struct Manager {
    pub(crate) shared: Arc<Shared>,
}

impl Manager {
    /// Makes a manager with the defaults that [`ManagerBuilder`] states. Outside of a Tokio runtime, it is tied to the
    /// runtime of its first use, and times that are counted since it was made are counted from then; dropped before, it
    /// runs nothing, cleanups included.
    pub fn new() -> Self {
        Self::from_shared(Shared::new(Settings::default()))
    }

    /// Configures a manager.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::new()
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs a critical task: any end of it, clean or not, stops the group; see
    /// [`only_failures_stop`](ManagerBuilder::only_failures_stop) for the other policy.
    ///
    /// The task is spawned on the caller's runtime, or on the manager's for a caller outside of any. It may be called
    /// from anywhere at any time, tasks of this group included; while the group drains, tasks are still admitted, and
    /// while it stops, those of phases that are not stopped yet.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the task in it, if its phase is stopped already or cleanups have begun, if there is no
    /// Tokio runtime with a time driver, if asking the task for its name, phase or gate panics, or if the system
    /// refuses the process its first thread for deadlines.
    pub fn run<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        self.shared.admit(task, Kind::Critical).map(TaskHandle::new)
    }

    /// Runs an ephemeral task: a clean end of it is fine, a failure stops the group. Otherwise as [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_ephemeral<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        self.shared.admit(task, Kind::Ephemeral).map(TaskHandle::new)
    }

    /// Registers a hook that runs after all tasks have ended or were given up.
    ///
    /// Hooks run one by one, the last one registered first, each with a fair share of what is left of the budget. One
    /// that fails, panics or takes too long is reported, and the next one runs. One registered while hooks run, runs
    /// next.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the hook in it, once the report is made.
    pub fn cleanup<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.shared.add_hook(name.into(), hook)
    }

    /// Asks the group to stop, and returns at once. The shutdown proceeds whether or not anybody waits.
    pub fn stop(&self) {
        self.shared.trigger(CauseKind::Stopped, Trigger::Request, None);
    }

    /// Waits until the group has ended, and returns the report.
    ///
    /// The group ends when something stops it, or, from the first poll of a `wait` on, when all its work is done:
    /// when nothing but support tasks is left if there ever were others, or else nothing at all. Any number of callers
    /// may wait, at any time, on any runtime; all get the same result.
    ///
    /// # Errors
    ///
    /// [`ShutdownError`] if anything went wrong, with the report in it; at once if called from inside of this group
    /// ([`is_inside`](ShutdownError::is_inside)), and for a manager that was not used within a runtime before also
    /// outside of any ([`is_no_runtime`](ShutdownError::is_no_runtime)), or if the system refuses the process its first
    /// thread for deadlines ([`is_no_thread`](ShutdownError::is_no_thread)).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the shutdown does not depend on it, and a later call gives the same result.
    pub async fn wait(&self) -> Result<Report, ShutdownError> {
        self.shared.wait().await
    }

    /// Stops the group and waits for it: [`stop`](Self::stop) and [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait). From inside, the group is stopped, and the wait refused.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: once polled, the group is stopped, and a later `wait` gives the same result.
    pub async fn shutdown(&self) -> Result<Report, ShutdownError> {
        self.stop();
        self.wait().await
    }

    /// Waits until every task that gates readiness is ready. It looks at those that were run by then, so with none it
    /// resolves at once, and it needs nobody who [waits](Self::wait), without whom the group's
    /// [readiness](Group::readiness) stays false.
    ///
    /// # Errors
    ///
    /// [`NotReadyError`] if one of them ended first, which it names, or if the group is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ready(&self) -> Result<(), NotReadyError> {
        self.shared.ready().await
    }

    /// Stops the group because the service could not be set up. `error` is a failure, the root unless something failed
    /// before, and [`Report::exit_code`] says so unless something else had begun the shutdown. After the end it is only
    /// logged. For entry points; tasks return their errors.
    pub fn setup_failed(&self, error: impl Into<anyhow::Error>) {
        self.shared.setup_failed(error.into());
    }

    /// Returns a weak, cloneable way to reach this manager.
    pub fn handle(&self) -> ManagerHandle {
        ManagerHandle::new(&self.shared)
    }

    /// Returns the read-only view of the group.
    pub fn group(&self) -> Group {
        view::group(&self.shared)
    }
}

impl Default for Manager {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Manager {
    /// Invariant 11: the group is stopped, and its shutdown takes its course.
    fn drop(&mut self) {
        if self.shared.report.get().is_none() {
            self.shared.trigger(CauseKind::Dropped, Trigger::Plain, None);
        }
        self.shared.alarm.set_taken();
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
