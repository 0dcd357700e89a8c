//! A task under another name, in another phase, or gating readiness.

use std::borrow::Cow;

use crate::{Context, Phase, Task, Timeout};

/// A task with some of its properties replaced. Returned by [`Task::named`], [`Task::in_phase`],
/// [`Task::gating_readiness`] and [`Task::stopping_within`].
///
/// Every property that is not replaced is that of the inner task.
///
/// # Examples
///
/// ```
/// use task_core::{Phase, Task, task_fn};
///
/// let probes = task_fn("http", async |ctx| { ctx.cancelled().await; Ok(()) })
///     .named("probes")
///     .in_phase(Phase::SUPPORT);
/// assert_eq!((probes.name(), probes.phase()), ("probes".into(), Phase::SUPPORT));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct Adjusted<T> {
    task: T,
    name: Option<Cow<'static, str>>,
    phase: Option<Phase>,
    gates_readiness: bool,
    stop_timeout: Option<Timeout>,
}

impl<T> Adjusted<T> {
    pub(crate) fn new(task: T) -> Self {
        Self { task, name: None, phase: None, gates_readiness: false, stop_timeout: None }
    }

    pub(crate) fn with_name(self, name: Cow<'static, str>) -> Self {
        Self { name: Some(name), ..self }
    }

    pub(crate) fn with_phase(self, phase: Phase) -> Self {
        Self { phase: Some(phase), ..self }
    }

    pub(crate) fn with_gate(self) -> Self {
        Self { gates_readiness: true, ..self }
    }

    pub(crate) fn with_stop_timeout(self, limit: Timeout) -> Self {
        Self { stop_timeout: Some(limit), ..self }
    }
}

impl<T: Task> Task for Adjusted<T> {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone().unwrap_or_else(|| self.task.name())
    }

    fn phase(&self) -> Phase {
        self.phase.unwrap_or_else(|| self.task.phase())
    }

    fn gates_readiness(&self) -> bool {
        self.gates_readiness || self.task.gates_readiness()
    }

    fn stop_timeout(&self) -> Timeout {
        self.stop_timeout.unwrap_or_else(|| self.task.stop_timeout())
    }

    fn admitted(&mut self, ctx: &Context) {
        self.task.admitted(ctx);
    }

    fn run(self, ctx: Context) -> impl Future<Output = anyhow::Result<()>> + Send {
        self.task.run(ctx)
    }
}
