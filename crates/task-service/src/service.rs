//! A service's life from `main` to its exit code.

use std::{process::ExitCode, time::Duration};

use task_core::scope::{guarded_name, write_stderr};
use task_manager::{Manager, ManagerBuilder, Report, ShutdownError, StepTimes};
use task_signal::{SignalError, SignalTask, SignalTaskBuilder};
use tokio::runtime::Runtime;

use crate::{
    exit_codes::{ExitCodes, is_unasked_end},
    output,
    setup::{self, Setup},
};

/// Runs a service with the default settings: [`Service::new`] and [`Service::run`].
///
/// # Panics
///
/// If called within a Tokio runtime, such as under `#[tokio::main]`: the service makes its own.
///
/// # Examples
///
/// ```no_run
/// use std::process::ExitCode;
/// use task_manager::task_fn;
///
/// fn main() -> ExitCode {
///     task_service::main(async |manager| {
///         manager.run(task_fn("worker", async |ctx| {
///             ctx.cancelled().await;
///             Ok(())
///         }))?;
///         Ok(())
///     })
/// }
/// ```
pub fn main<F>(setup: F) -> ExitCode
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    Service::new().run(setup)
}

/// Configures and runs a service.
///
/// Each setter returns `Self`. Nothing is acquired before [`run`](Self::run), which also checks the
/// settings: those that contradict each other end the service with
/// [`ExitCodes::setup_failed`] before the setup is called.
///
/// # Examples
///
/// ```no_run
/// use std::{process::ExitCode, time::Duration};
/// use task_service::{ExitCodes, Service};
///
/// fn main() -> ExitCode {
///     Service::new()
///         .manager(|manager| manager.name("orders").drain_delay(Duration::from_secs(5)))
///         .signals(|signals| signals.dump_on(task_signal::Signal::USR1))
///         .exit_codes(ExitCodes::new().setup_failed(78))
///         .run(async |manager| Ok(()))
/// }
/// ```
#[derive(Debug)]
#[must_use = "call `run`"]
pub struct Service {
    manager: ManagerBuilder,
    signals: Option<SignalTaskBuilder>,
    codes: ExitCodes,
    report_to: ReportTo,
    threads: Threads,
}

/// Where a service writes its report.
///
/// The service waits for the output for at most 1 s: a pipe that is full, or a log sink that
/// blocks, does not keep the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportTo {
    /// As text to stderr, whatever the log is.
    #[default]
    Stderr,
    /// As one event of the log, an error unless the report is clean: target `task`, with the fields
    /// of the [crate's documentation](crate#log) and the whole text in `report`.
    Log,
    /// Nowhere. The log still has an event for every failure.
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
enum Threads {
    /// Tokio's own default: one worker per processor.
    Default,
    Workers(usize),
    Current,
}

impl Service {
    /// Creates a service with the default settings.
    pub fn new() -> Self {
        Self {
            manager: Manager::builder().name("service"),
            signals: Some(SignalTask::builder()),
            codes: ExitCodes::new(),
            report_to: ReportTo::default(),
            threads: Threads::Default,
        }
    }

    /// Configures the manager: `.manager(|manager| manager.name("orders"))`. Default: that of
    /// [`Manager::builder`], with the name `service`.
    ///
    /// The hard exit is always on. Its code is [`ExitCodes::hard_exit`]; a code set here has no
    /// effect.
    pub fn manager(mut self, configure: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        self.manager = configure(self.manager);
        self
    }

    /// Configures the signal task: `.signals(|signals| signals.dump_on(Signal::USR1))`. Default:
    /// that of [`SignalTask::builder`].
    pub fn signals(
        mut self,
        configure: impl FnOnce(SignalTaskBuilder) -> SignalTaskBuilder,
    ) -> Self {
        self.signals = Some(configure(self.signals.unwrap_or_else(SignalTask::builder)));
        self
    }

    /// Installs no signal handlers. Default: they are installed.
    ///
    /// The process then has the default reaction to each signal. A service without signal handlers
    /// and without tasks ends right after its setup.
    pub fn without_signals(mut self) -> Self {
        self.signals = None;
        self
    }

    /// Sets the exit codes. Default: [`ExitCodes::new`].
    pub fn exit_codes(mut self, codes: ExitCodes) -> Self {
        self.codes = codes;
        self
    }

    /// Sets where the report is written. Default: [`ReportTo::Stderr`].
    pub fn report_to(mut self, report_to: ReportTo) -> Self {
        self.report_to = report_to;
        self
    }

    /// Makes it a failure, with [`ExitCodes::failure`], when a critical task ends cleanly without a
    /// stop request: [`ManagerBuilder::unasked_end_fails`]. Default: off; the service then exits
    /// with 0, and a warning in the log.
    pub fn unasked_end_fails(mut self) -> Self {
        self.manager = self.manager.unasked_end_fails();
        self
    }

    /// Sets the number of the runtime's worker threads; 0 counts as 1. Default: one per processor.
    pub fn worker_threads(mut self, count: usize) -> Self {
        self.threads = Threads::Workers(count.max(1));
        self
    }

    /// Runs the setup and all tasks on the calling thread. Default: off.
    ///
    /// A task that blocks this thread then also blocks the service: its deadlines hold only by the
    /// hard exit.
    pub fn current_thread(mut self) -> Self {
        self.threads = Threads::Current;
        self
    }

    /// Runs the service to its end, and returns the exit code for `main` to return.
    ///
    /// The setup need not be `Send`, and may borrow from the caller. It ends early when the group
    /// is stopped: it is dropped at its next await once tasks are being stopped, and a `?` on a
    /// [`Refused`](task_manager::Refused) task or cleanup ends it quietly. See the [crate's
    /// documentation](crate#what-happens-in-order).
    ///
    /// Code before and after the call runs as in any `main`; the runtime is still shutting down in
    /// the background when it returns, so blocked worker threads may be alive until the process
    /// exits.
    ///
    /// # Panics
    ///
    /// If called within a Tokio runtime, such as under `#[tokio::main]`: the service makes its own.
    pub fn run<F>(self, setup: F) -> ExitCode
    where
        F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
    {
        let Self { manager, signals, codes, report_to, threads } = self;
        let acquired = acquire(manager.hard_exit(codes.hard_exit), signals, threads);
        let (runtime, manager, signals) = match acquired {
            Ok(acquired) => acquired,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(target: "task", error, "service failed to start");
                output::write_bounded(move || {
                    write_stderr(&format!("the service failed to start: {error}"));
                });
                return ExitCode::from(codes.setup_failed);
            }
        };
        let result = runtime.block_on(serve(&manager, signals, setup));
        let code = codes.code_of(&result);
        write_report(result, report_to);
        // Not dropped: that would wait without limit for blocked workers.
        runtime.shutdown_background();
        ExitCode::from(code)
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

/// Acquires what a service needs before anything runs. The signal handlers come first: no signal
/// that arrives from here on is lost.
fn acquire(
    manager: ManagerBuilder,
    signals: Option<SignalTaskBuilder>,
    threads: Threads,
) -> anyhow::Result<(Runtime, Manager, Option<SignalTask>)> {
    let signals: Result<Option<SignalTask>, SignalError> =
        signals.map(SignalTaskBuilder::build).transpose();
    let signals = signals?;
    let mut runtime = match threads {
        Threads::Current => tokio::runtime::Builder::new_current_thread(),
        Threads::Default | Threads::Workers(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Threads::Workers(count) = threads {
        runtime.worker_threads(count);
    }
    let runtime = runtime.enable_all().build()?;
    let entered = runtime.enter();
    let manager = manager.build()?;
    drop(entered);
    Ok((runtime, manager, signals))
}

/// Runs the setup, and waits for the end of the group.
async fn serve<F>(
    manager: &Manager,
    signals: Option<SignalTask>,
    setup: F,
) -> Result<Report, ShutdownError>
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    if let Some(signals) = signals
        && let Err(refused) = manager.run(signals)
    {
        manager.setup_failed(refused);
        return manager.wait().await;
    }
    match setup::run(manager, setup).await {
        Setup::Done => {}
        Setup::Failed(error) => manager.setup_failed(error),
        Setup::Cancelled => tracing::info!(target: "task", "setup cancelled by the shutdown"),
        Setup::FailedLate(error) => {
            let error = format!("{error:#}");
            tracing::warn!(target: "task", error, "setup failed during the shutdown");
        }
    }
    manager.wait().await
}

/// Writes the report. Its errors and the log's sink are the user's code and may block, so the wait
/// is bounded.
fn write_report(result: Result<Report, ShutdownError>, report_to: ReportTo) {
    output::write_bounded(move || {
        let report = match &result {
            Ok(report) => Some(report),
            Err(error) => error.report(),
        };
        let Some(report) = report else {
            return write_stderr(&format!("{result:?}"));
        };
        if report.is_clean() && is_unasked_end(report) {
            let cause = report.cause().to_string();
            tracing::warn!(target: "task", cause, "service ended without a stop request");
        }
        match report_to {
            ReportTo::Stderr => write_stderr(&report.to_string()),
            ReportTo::Log => log_report(report),
            ReportTo::Nowhere => {}
        }
    });
}

/// Logs the report, at the level of what it says.
fn log_report(report: &Report) {
    let (cause, report_text) = (report.cause().to_string(), report.to_string());
    let (manager, tasks) = (guarded_name(report.name()), report.totals().started);
    let StepTimes { triggered, stopping, cleaning_up, ended, .. } = report.steps();
    let seconds = |from, to: Duration| to.saturating_sub(from).as_secs_f64();
    let (took, drain) = (seconds(triggered, ended), seconds(triggered, stopping));
    let (stop, cleanup) = (seconds(stopping, cleaning_up), seconds(cleaning_up, ended));
    let failures = report.failures().len() as u64 + report.omitted_failures();
    let root = report.failures().first().map(ToString::to_string);
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                target: "task",
                manager, cause, took, drain, stop, cleanup, tasks, failures, root,
                report = report_text, "service ended"
            )
        };
    }
    if report.is_clean() { log!(info) } else { log!(error) }
}
