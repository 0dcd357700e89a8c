//! The task that stops its group at a signal.

use std::{borrow::Cow, fmt, sync::Arc};

use task_core::{Context, Phase, Task};

use crate::{
    LogLevel, Signal, SignalError, SignalTaskBuilder, crew::Crew, lease::Tenant, log,
    recipient::Recipient,
};

/// Stops its group at a signal, and makes it hurry at further ones.
///
/// Signals are captured from the constructor on, inside or outside a runtime; those that come before the task runs are
/// delivered when it does. The first one asks the group to stop, and the report's cause names it: `signal SIGTERM`, with
/// feature `sender` also `from pid 123`. A further `SIGINT` aborts what is left, and one more ends the process with the exit
/// code 130. See [the crate](crate) for the whole ladder, and for what happens at the end.
///
/// All of this works with every thread of the runtime blocked: it is done by two OS threads that belong to this
/// value and sleep until there is a signal; where one is stuck, another one is started.
///
/// It is a task of the [support phase](Phase::SUPPORT), and as long as the cleanups run its signals are still served,
/// after its own end: until the group's report is made. Then they act by default again, or at once if this value is
/// dropped without having run. If the task is stopped alone, its signals are served until the report all the same.
#[must_use = "a task does nothing until a manager runs it, and dropping it lets the signals go"]
pub struct SignalTask {
    pub(crate) name: Cow<'static, str>,
    pub(crate) captured: Vec<Signal>,
    pub(crate) ignored: Vec<Signal>,
    pub(crate) log_level: LogLevel,
    pub(crate) crew: Arc<Crew>,
    pub(crate) tenant: Tenant,
}

impl SignalTask {
    /// Captures [`INT`](Signal::INT), [`TERM`](Signal::TERM) and [`QUIT`](Signal::QUIT), with the default settings.
    ///
    /// # Errors
    ///
    /// As [`SignalTaskBuilder::build`].
    pub fn new() -> Result<Self, SignalError> {
        Self::builder().build()
    }

    /// Returns the settings, to change them.
    pub fn builder() -> SignalTaskBuilder {
        SignalTaskBuilder::new()
    }

    /// Returns the signals that are captured: those asked for, without those that stay ignored.
    pub fn signals(&self) -> &[Signal] {
        &self.captured
    }
}

impl Task for SignalTask {
    /// Returns what the builder was given, or `signals`.
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// Returns [`Phase::SUPPORT`].
    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Waits for the group to stop. It never fails.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name: _, captured, ignored, log_level, crew, mut tenant } = self;
        log::ignored(log_level, &ignored);
        ctx.set_status(waiting_for(&captured));
        tenant.serve(&ctx);
        crew.attach(Recipient { context: ctx.clone(), lease: tenant.lease() });
        drop(crew);
        ctx.cancelled().await;
        Ok(())
    }
}

impl fmt::Debug for SignalTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalTask")
            .field("name", &self.name)
            .field("signals", &self.captured)
            .finish_non_exhaustive()
    }
}

/// The status of a task that waits for signals.
pub(crate) fn waiting_for(signals: &[Signal]) -> String {
    let names: Vec<_> = signals.iter().map(|signal| signal.name()).collect();
    match names.as_slice() {
        [] => "all signals are ignored".to_owned(),
        names => format!("waiting for {}", names.join(", ")),
    }
}
