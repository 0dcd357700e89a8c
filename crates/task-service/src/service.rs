//! A service's life from `main` to its exit code.

use std::process::ExitCode;

use task_manager::{Manager, ManagerBuilder, Report, ShutdownError};
use task_signal::{SignalError, SignalTask, SignalTaskBuilder};
use tokio::runtime::Runtime;

use crate::{
    exit::{ExitCodes, is_unasked_end},
    last_words,
    setup::{self, Setup},
};

/// Runs a service with the defaults: [`Service::new`] and [`Service::run`].
///
/// # Panics
///
/// Within a Tokio runtime, such as under `#[tokio::main]`: it makes its own.
pub fn main<F>(setup: F) -> ExitCode
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    Service::new().run(setup)
}

/// Configures and runs a service.
///
/// ```no_run
/// # use std::{process::ExitCode, time::Duration};
/// use task_service::Service;
///
/// fn main() -> ExitCode {
///     Service::new()
///         .manager(|manager| manager.name("orders").drain_delay(Duration::from_secs(5)))
///         .signals(|signals| signals.dump_on(task_signal::Signal::USR1))
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
    unasked_end_fails: bool,
    threads: Threads,
}

/// Where the report goes at the end. A second at most is waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportTo {
    /// As text to stderr, beside whatever the log is.
    #[default]
    Stderr,
    /// As one event of the log: target `task`, field `report`.
    Log,
    /// Nowhere. Failures are in the log all the same.
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
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self {
            manager: Manager::builder().name("service"),
            signals: Some(SignalTask::builder()),
            codes: ExitCodes::default(),
            report_to: ReportTo::default(),
            unasked_end_fails: false,
            threads: Threads::Default,
        }
    }

    /// Adjusts the manager: `.manager(|manager| manager.name("orders"))`. The hard exit is always on; its code is
    /// [`ExitCodes::hard_exit`], whatever is set here. Default: that of [`Manager::builder`], with the name `service`.
    pub fn manager(mut self, adjust: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        self.manager = adjust(self.manager);
        self
    }

    /// Adjusts the signal task: `.signals(|signals| signals.dump_on(Signal::USR1))`. Default: that of
    /// [`SignalTask::builder`].
    pub fn signals(mut self, adjust: impl FnOnce(SignalTaskBuilder) -> SignalTaskBuilder) -> Self {
        self.signals = Some(adjust(self.signals.unwrap_or_else(SignalTask::builder)));
        self
    }

    /// Leaves all signals alone. Default: they are captured.
    pub fn without_signals(mut self) -> Self {
        self.signals = None;
        self
    }

    /// Sets the exit codes. Default: those of [`ExitCodes`].
    pub fn exit_codes(mut self, codes: ExitCodes) -> Self {
        self.codes = codes;
        self
    }

    /// Sets where the report goes. Default: [`ReportTo::Stderr`].
    pub fn report_to(mut self, report_to: ReportTo) -> Self {
        self.report_to = report_to;
        self
    }

    /// Lets the clean end of a critical task that nobody had asked to end exit with the code of a failure. Default:
    /// off, so that it exits with 0 and a warning in the log.
    pub fn unasked_end_fails(mut self) -> Self {
        self.unasked_end_fails = true;
        self
    }

    /// Sets the number of the runtime's worker threads; 0 counts as 1. Default: one per processor.
    pub fn worker_threads(mut self, count: usize) -> Self {
        self.threads = Threads::Workers(count.max(1));
        self
    }

    /// Runs everything on the calling thread. Deadlines then hold only through the hard exit wherever a task blocks
    /// that thread. Default: off.
    pub fn current_thread(mut self) -> Self {
        self.threads = Threads::Current;
        self
    }

    /// Runs the service until it has ended, and returns the exit code for `main` to return.
    ///
    /// The setup need not be `Send`, and may borrow what outlives this call.
    ///
    /// # Panics
    ///
    /// Within a Tokio runtime, such as under `#[tokio::main]`: it makes its own.
    pub fn run<F>(self, setup: F) -> ExitCode
    where
        F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
    {
        let Self { manager, signals, codes, report_to, unasked_end_fails, threads } = self;
        let begun = begin(manager.hard_exit(codes.hard_exit), signals, threads);
        let (runtime, manager, signals) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::error!(target: "task", error = format!("{error:#}"), "service could not begin");
                last_words::say(move || {
                    last_words::write(&format!("the service could not begin: {error:#}"))
                });
                return ExitCode::from(codes.setup_failed);
            }
        };
        let result = runtime.block_on(live(&manager, signals, setup));
        let code = codes.of(&result, unasked_end_fails);
        tell(result, report_to);
        // Not dropped: that would wait without limit for workers that are blocked.
        runtime.shutdown_background();
        ExitCode::from(code)
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

/// Acquires what a service needs before anything runs. Signals come first: one that arrives from here on is not lost.
fn begin(
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

async fn live<F>(
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
        Setup::GivenUp(None) => {
            tracing::info!(target: "task", "setup given up, as the service is being stopped");
        }
        Setup::GivenUp(Some(error)) => {
            let error = format!("{error:#}");
            tracing::warn!(target: "task", error, "setup failed when the service was being stopped");
        }
    }
    manager.wait().await
}

/// Says how it went. What is said is the user's in part (errors, the log's sink), so it may take long, and is bounded.
fn tell(result: Result<Report, ShutdownError>, report_to: ReportTo) {
    last_words::say(move || {
        let report = match &result {
            Ok(report) => Some(report),
            Err(error) => error.report(),
        };
        let Some(report) = report else {
            return last_words::write(&format!("{result:?}"));
        };
        if is_unasked_end(report) {
            let cause = report.cause().to_string();
            tracing::warn!(target: "task", cause, "service ended though nobody had asked it to");
        }
        match report_to {
            ReportTo::Stderr => last_words::write(&report.to_string()),
            ReportTo::Log => {
                tracing::info!(target: "task", report = report.to_string(), "service ended");
            }
            ReportTo::Nowhere => {}
        }
    });
}
