//! A weak way to reach a manager.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Weak},
};

use task_core::{Group, Step, Task};

use crate::{
    api::task_handle::TaskHandle,
    group::shared::Shared,
    group::view,
    lifecycle::machine::{Kind, Trigger},
    report::Report,
    report::cause::CauseKind,
    report::error::ShutdownError,
    report::not_ready::NotReadyError,
    report::refused::{Reason, Refused},
};

/// Reaches a manager without owning it: cheap to clone, and harmless to keep in a task or a hook.
///
/// Once the manager is dropped and its group has ended, everything is refused as after the end.
#[derive(Clone)]
pub struct ManagerHandle(Weak<Shared>);

impl ManagerHandle {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Runs a critical task; see [`Manager::run`](crate::Manager::run).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn run<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        match self.0.upgrade() {
            Some(shared) => shared.admit(task, Kind::Critical).map(TaskHandle::new),
            None => Err(Refused::new(task, "a task", Reason::Ended)),
        }
    }

    /// Runs an ephemeral task; see [`Manager::run_ephemeral`](crate::Manager::run_ephemeral).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn run_ephemeral<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        match self.0.upgrade() {
            Some(shared) => shared.admit(task, Kind::Ephemeral).map(TaskHandle::new),
            None => Err(Refused::new(task, "a task", Reason::Ended)),
        }
    }

    /// Registers a cleanup; see [`Manager::cleanup`](crate::Manager::cleanup).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn cleanup<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        match self.0.upgrade() {
            Some(shared) => shared.add_hook(name.into(), hook),
            None => Err(Refused::new(hook, name.into(), Reason::Ended)),
        }
    }

    /// Asks the group to stop, and returns at once; does nothing if it no longer exists.
    pub fn stop(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.trigger(CauseKind::Stopped, Trigger::Request, None);
        }
    }

    /// Waits for the report; see [`Manager::wait`](crate::Manager::wait).
    ///
    /// # Errors
    ///
    /// As there; and [`is_gone`](ShutdownError::is_gone) if the manager no longer exists.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&self) -> Result<Report, ShutdownError> {
        match self.0.upgrade() {
            Some(shared) => shared.wait().await,
            None => Err(ShutdownError::gone()),
        }
    }

    /// Waits until every task that gates readiness is ready; see [`Manager::ready`](crate::Manager::ready).
    ///
    /// # Errors
    ///
    /// As there; a manager that no longer exists has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ready(&self) -> Result<(), NotReadyError> {
        match self.0.upgrade() {
            Some(shared) => shared.ready().await,
            None => Err(NotReadyError::shutting_down(Step::Ended)),
        }
    }

    /// Returns the view of the group; `None` once it no longer exists.
    pub fn group(&self) -> Option<Group> {
        self.0.upgrade().map(|shared| view::group(&shared))
    }
}

impl fmt::Debug for ManagerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.0.upgrade();
        f.debug_struct("ManagerHandle")
            .field("name", &shared.as_ref().map(|shared| &shared.name))
            .finish_non_exhaustive()
    }
}
