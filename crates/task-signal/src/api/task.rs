//! The task that stops its group at a signal.

use std::{borrow::Cow, sync::Arc};

use task_core::{Context, Phase, Task};

use super::SignalTaskBuilder;
use crate::{
    capture::Capture,
    threads::{Recipient, Shared},
    values::{Signal, SignalError},
};

/// Stops its group at a signal, and escalates at further ones.
///
/// The first signal asks the group to stop, and the report's cause names it: `signal SIGTERM`, with
/// feature `sender` also `from pid 123`. A second `SIGINT` aborts the tasks that are left, and a
/// third one ends the process with the exit code 130. The [crate documentation](crate) describes
/// the whole ladder.
///
/// # When signals are captured
///
/// Signals are captured from the constructor on, inside or outside a runtime. Those that arrive
/// before the task runs are delivered when it does. They stay captured until the group's report is
/// made, which is later than the end of the task: it belongs to the [support
/// phase](Phase::SUPPORT), and the cleanups run after it. Stopping this task alone does not release
/// them either. After the report, or when this value is dropped without having run, they have their
/// [default action](crate::AfterEnd) again.
///
/// # Threads
///
/// It works while every thread of the runtime is blocked, because three OS threads serve the
/// signals: one reads and counts them and can end the process, one delivers them to the group, and
/// one writes the log and runs the callback. A delivery that blocks for more than 100 ms keeps its
/// thread, and the next one gets another. All sleep until a signal arrives, and end when the
/// signals are released.
///
/// # Examples
///
/// ```no_run
/// use task_manager::Manager;
/// use task_signal::SignalTask;
///
/// #[tokio::main]
/// async fn main() -> anyhow::Result<()> {
///     let manager = Manager::new();
///     manager.run(SignalTask::new()?)?;
///     manager.wait().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it, and dropping it releases the signals"]
pub struct SignalTask {
    pub(super) capture: Capture,
    pub(super) shared: Arc<Shared>,
}

impl SignalTask {
    /// Captures [`INT`](Signal::INT), [`TERM`](Signal::TERM) and [`QUIT`](Signal::QUIT), with the
    /// default settings.
    ///
    /// # Errors
    ///
    /// As [`SignalTaskBuilder::build`].
    pub fn new() -> Result<Self, SignalError> {
        Self::builder().build()
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> SignalTaskBuilder {
        SignalTaskBuilder::new()
    }

    /// Returns the captured signals: those that were asked for, without those that stay ignored.
    pub fn signals(&self) -> &[Signal] {
        &self.capture.signals
    }
}

impl Task for SignalTask {
    /// Returns the name that was set, or `signals`.
    fn name(&self) -> Cow<'static, str> {
        self.capture.name.clone()
    }

    /// Returns [`Phase::SUPPORT`].
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Waits until the task is stopped. It never fails.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { mut capture, shared } = self;
        capture.serve(&ctx);
        shared.attach(Recipient { context: ctx.clone(), lease: Arc::clone(&capture.lease) });
        ctx.cancelled().await;
        Ok(())
    }
}
