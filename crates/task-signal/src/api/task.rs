//! The task that stops its group at a signal.

use std::{borrow::Cow, mem, sync::Arc, time::Duration};

use task_core::{Context, Phase, Task, Timeout};

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
/// before a manager has admitted the task are delivered then; from there on it acts though no
/// thread of the runtime is free to poll it. They stay captured until the group has ended, which is
/// later than the end of the task: it belongs to the [support phase](Phase::SUPPORT), and the
/// cleanups run after it. Stopping this task alone does not release them either. What signals do
/// after that is in a table of the [crate documentation](crate#when-signals-are-served); a
/// [`CaptureGuard`](crate::CaptureGuard) keeps them captured for longer. They are released at once
/// when this value is dropped without having run.
///
/// # Threads
///
/// It works while every thread of the runtime is blocked, because three OS threads serve the
/// signals: one reads and counts them and can end the process, one delivers them to the group, and
/// one writes the log and runs the callback. A delivery that blocks for more than 100 ms keeps its
/// thread, and the next one gets another. If the system has none left, the reading thread delivers,
/// and as long as it does, the next signal of a ladder that leads to an exit exits. All sleep until
/// a signal arrives, and end when the signals are released, or up to 1 s later if repeats may come.
/// A fourth one receives signals that were inherited blocked.
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
    pub(super) has_callback: bool,
    pub(super) is_admitted: bool,
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

    /// Returns 500 ms, or [`Timeout::Never`] if there is a
    /// [callback](SignalTaskBuilder::on_signal), which the end waits for. The task ends when it is
    /// polled; on a machine that is short of processors that may take a while.
    fn stop_timeout(&self) -> Timeout {
        if self.has_callback { Timeout::Never } else { Timeout::After(STOP_TIMEOUT) }
    }

    /// Begins to deliver signals to the group, so that they act though no thread of the runtime is
    /// free to poll the task. Those that arrived before are delivered now, by a thread of this
    /// task, which is waited for, for at most 100 ms.
    fn admitted(&mut self, ctx: &Context) {
        self.capture.serve(ctx);
        let inherited = mem::take(&mut self.capture.inherited);
        self.shared.attach(Recipient { context: ctx.clone() }, inherited);
        self.is_admitted = true;
    }

    /// Waits until the task is stopped, and then until the log has a line about each signal that
    /// came, for at most 100 ms and at most half of the time that is left to the task. It never
    /// fails, and needs a Tokio runtime with timers, as a manager does.
    async fn run(mut self, ctx: Context) -> anyhow::Result<()> {
        if !self.is_admitted {
            self.admitted(&ctx);
        }
        ctx.cancelled().await;
        // So that the group does not end, and the process after it, before the log says why.
        let left = ctx.remaining().unwrap_or(Duration::MAX);
        self.shared.logged(LOG_TIMEOUT.min(left / 2)).await;
        Ok(())
    }
}

/// How long the task gets to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);
/// How long its end waits for its log.
const LOG_TIMEOUT: Duration = Duration::from_millis(100);
