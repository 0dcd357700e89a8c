//! A service's life from `main` to its exit code.

use std::{error::Error, mem, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use task_core::{Timeout, scope::Aside};
use task_manager::{Manager, ManagerBuilder, Panic, Report, Setup, ShutdownError};
use task_signal::{CaptureGuard, SignalError, SignalTask, SignalTaskBuilder};
use tokio::runtime::Runtime;

#[cfg(feature = "kubernetes")]
use crate::{Manifest, ManifestError};
use crate::{
    exit_codes::{ExitCodes, OwnCodes},
    output::{self, Ending},
    platform::{Choice, Platform},
    report_to::ReportTo,
    runtime::{RuntimeOptions, Threads, assert_outside_of_a_runtime},
    setup,
};

/// How long the setup is waited for once it is asked to end.
const SETUP_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what is left on the runtime may take to be dropped.
const DROP_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs a service with the default settings: [`Service::new`] and [`Service::run`].
///
/// # Panics
///
/// If called within a Tokio runtime: see [`Service::run`].
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
#[track_caller]
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
/// use std::{error::Error, mem, process::ExitCode, time::Duration};
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
    own_codes: OwnCodes,
    platform: Choice,
    report_to: ReportTo,
    metrics_file: Option<PathBuf>,
    message_file: Option<PathBuf>,
    runtime: RuntimeOptions,
    setup_stop_timeout: Timeout,
    drop_timeout: Duration,
}

impl Service {
    /// Creates a service with the default settings.
    pub fn new() -> Self {
        Self {
            manager: Manager::builder().name("service"),
            signals: Some(SignalTask::builder()),
            codes: ExitCodes::new(),
            own_codes: OwnCodes::default(),
            platform: Choice::default(),
            report_to: ReportTo::default(),
            metrics_file: None,
            message_file: None,
            runtime: RuntimeOptions::default(),
            setup_stop_timeout: SETUP_STOP_TIMEOUT.into(),
            drop_timeout: DROP_TIMEOUT,
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

    /// Fits the shutdown to the platform on which the service runs: its signals, its time, its
    /// drain delay. Default: none; the defaults of the manager hold, and nothing is recognised.
    ///
    /// Settings win, and those that do not fit are an error at the start: see [`Platform`]. What
    /// holds is a line in the log. With the `None` of [`Platform::detect`] the defaults hold, and
    /// the line says that no platform was recognised.
    pub fn platform(mut self, platform: impl Into<Option<Platform>>) -> Self {
        self.platform = platform.into().map_or(Choice::Unknown, Choice::Known);
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

    /// Sets the exit code for errors of the type `E`, in place of [`ExitCodes::failure`] and
    /// [`ExitCodes::setup_failed`]. Default: none.
    ///
    /// It is that of the first failure of the report, of the setup as well as of a task or a
    /// cleanup, or of the error with which the service failed to start: where that error, one of
    /// its contexts or one of its causes is an `E`, `code` is called with it, also where
    /// [`any_error`](task_manager::any_error) made the error of a box with an `E` in it. Of several
    /// such calls, the first whose type is found counts. It is not consulted after a panic or
    /// another failure that has no error, nor for the hard exit.
    ///
    /// `code` is waited for at most 1 s. If it takes longer or panics, the exit code is as without
    /// it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use task_service::{ExitCodes, Service};
    /// # #[derive(Debug, thiserror::Error)] #[error("bad configuration")] struct BadConfig;
    /// # fn read_config() -> Result<(), BadConfig> { Ok(()) }
    ///
    /// fn main() -> ExitCode {
    ///     Service::new()
    ///         .exit_code_for(|_: &BadConfig| 78) // EX_CONFIG of sysexits.h
    ///         .exit_code_for(|error: &std::io::Error| match error.kind() {
    ///             std::io::ErrorKind::PermissionDenied => 77, // EX_NOPERM
    ///             _ => 74,                                    // EX_IOERR
    ///         })
    ///         .exit_codes(ExitCodes::new().failure(70)) // EX_SOFTWARE
    ///         .run(async |_manager| Ok(read_config()?))
    /// }
    /// ```
    pub fn exit_code_for<E>(mut self, code: impl FnOnce(&E) -> u8 + Send + 'static) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        self.own_codes.add(code);
        self
    }

    /// Sets the exit code by the report, in place of all others. Default: none.
    ///
    /// It is consulted after every shutdown that has a report, a clean one as well. `None` leaves
    /// the code as it is without this call; then those of [`exit_code_for`](Self::exit_code_for)
    /// come next. All of them together are waited for at most 1 s. If they take longer or panic,
    /// the exit code is that of [`ExitCodes`]. It is not consulted for a service that failed to
    /// start, which has no report, nor for the hard exit.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use task_manager::{CauseKind, FailureKind};
    /// use task_service::Service;
    ///
    /// fn main() -> ExitCode {
    ///     Service::new()
    ///         .exit_code_by_report(|report| match &report.failures().first()?.kind {
    ///             FailureKind::Panic(_) => Some(70), // EX_SOFTWARE
    ///             _ if report.cause().kind == CauseKind::StartTimeout => Some(75), // EX_TEMPFAIL
    ///             _ => None,
    ///         })
    ///         .run(async |manager| Ok(()))
    /// }
    /// ```
    pub fn exit_code_by_report(
        mut self,
        code: impl FnOnce(&Report) -> Option<u8> + Send + 'static,
    ) -> Self {
        self.own_codes.set_by_report(code);
        self
    }

    /// Sets where the report is written. Default: [`ReportTo::Stderr`].
    pub fn report_to(mut self, report_to: ReportTo) -> Self {
        self.report_to = report_to;
        self
    }

    /// Writes the figures of the shutdown to a file, in the format that Prometheus scrapes.
    /// Default: they are not written.
    ///
    /// The service is gone when they are complete, so something else has to serve them: the
    /// textfile collector of node_exporter, or the next start of the service. See
    /// [`Report::write_metrics`], which writes the file, and [`Report::metrics`] for what is in it.
    /// It is written beside the report, within the same second; that it could not be written is a
    /// warning in the log, and changes neither the report nor the exit code. A hard exit does not
    /// write it.
    pub fn shutdown_metrics(mut self, path: impl Into<PathBuf>) -> Self {
        self.metrics_file = Some(path.into());
        self
    }

    /// Writes why the service ended to a file, for a platform that shows it. Default: none, or
    /// `/dev/termination-log` on [Kubernetes](Platform::kubernetes), where it is shown by `kubectl
    /// describe pod`.
    ///
    /// It is the [report's message](Report::ending_message), of at most 4,096 bytes: the exit code
    /// and the cause, the failure that matters most, who was stuck. It is written after every end,
    /// a clean one as well, at the same time as the report and within its second; by a service
    /// that failed to start; and by the [hard
    /// exit](task_manager::ManagerBuilder::termination_log). The file is made if need be, and what
    /// it had is lost. One that is no regular file, or cannot be written, is a warning in the log,
    /// and changes neither the report nor the exit code. A signal that forces the exit, a call of
    /// `std::process::exit` and a `SIGKILL` leave no message.
    pub fn termination_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.message_file = Some(path.into());
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
        self.runtime.threads = Threads::Workers(count.max(1));
        self
    }

    /// Runs the setup and all tasks on the calling thread. Default: off.
    ///
    /// A task or a setup that blocks this thread then also blocks the service: its deadlines hold
    /// only by the hard exit.
    pub fn current_thread(mut self) -> Self {
        self.runtime.threads = Threads::Current;
        self
    }

    /// Sets the stack size of the runtime's threads, in bytes: of its workers, and of those of
    /// `spawn_blocking`. Default: that of `std::thread`, 2 MiB unless `RUST_MIN_STACK` says
    /// otherwise.
    ///
    /// The setup runs on the thread that called [`run`](Self::run), whose stack is the system's.
    /// With a size that the system does not grant, the service fails to start.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.runtime.stack_size = Some(bytes);
        self
    }

    /// Limits the number of threads for `spawn_blocking`, which also does Tokio's file operations
    /// and name lookups; 0 counts as 1. Default: Tokio's, 512.
    pub fn max_blocking_threads(mut self, count: usize) -> Self {
        self.runtime.max_blocking_threads = Some(count.max(1));
        self
    }

    /// Sets how long a setup that is asked to end may take to reach its next await, and to be
    /// dropped there. Default: 2 s, as a part of the shutdown timeout.
    ///
    /// Beside tasks of a phase below [`Phase::SUPPORT`](task_core::Phase::SUPPORT) it has at most a
    /// tenth of the time for the stop, as the [table of the
    /// phases](task_manager#phases-and-deadlines) says: of a total of 10 s with a cleanup, it is
    /// abandoned after 750 ms.
    ///
    /// No task is stopped and no cleanup is run before. A setup that takes longer is abandoned,
    /// which is a failure in the report, and the shutdown goes on without it.
    pub fn setup_stop_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.setup_stop_timeout = timeout.into();
        self
    }

    /// Sets how long what is left on the runtime may take to be dropped once the group has ended:
    /// what tasks have spawned without a [`Hold`](task_core::Hold), with its destructors, such as
    /// those of child processes under `kill_on_drop`. Default: 500 ms.
    ///
    /// The report is written meanwhile, so that after the end of the group the service takes no
    /// longer than this or the second for its output, whichever is longer. A worker that is blocked
    /// takes the whole time. What is not dropped by then ends with the process.
    pub fn drop_timeout(mut self, timeout: Duration) -> Self {
        self.drop_timeout = timeout;
        self
    }

    /// Returns the manifest of this service for Kubernetes: the name of its Deployment, its image,
    /// and the absolute path of the program in that. The times are those that are set here.
    ///
    /// Nothing is checked before it is printed. What [`Platform::detect`] recognised where this is
    /// called does not matter: the manifest is for a pod.
    #[cfg(feature = "kubernetes")]
    pub fn manifest(
        &self,
        name: impl Into<String>,
        image: impl Into<String>,
        program: impl Into<String>,
    ) -> Manifest {
        let message_file = self.message_file.as_ref().map(|path| path.display().to_string());
        let stop = self.platform.pod_stop(self.manager.times(), self.drop_timeout);
        let stop = stop.map_err(ManifestError::from);
        Manifest::new(name.into(), image.into(), program.into(), message_file, stop)
    }

    /// Runs the service to its end, and returns the exit code for `main` to return.
    ///
    /// The setup need not be `Send`, and may borrow from the caller. It ends early when the group
    /// is stopped: it is dropped at its next await, before any task is stopped. See the [crate's
    /// documentation](crate#what-happens-in-order).
    ///
    /// Code before and after the call runs as in any `main`. What did not end in time, such as a
    /// worker that is blocked, may be alive until the process exits.
    ///
    /// # Panics
    ///
    /// If called within a Tokio runtime, such as under `#[tokio::main]` or in `spawn_blocking`: the
    /// service makes its own.
    #[track_caller]
    pub fn run<F>(mut self, setup: F) -> ExitCode
    where
        F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
    {
        assert_outside_of_a_runtime();
        // Until the report is written, signals are the service's.
        let _captured = CaptureGuard::new();
        let (codes, own_codes) = (self.codes, mem::take(&mut self.own_codes));
        let ending = Ending {
            report_to: self.report_to,
            metrics_file: self.metrics_file.take(),
            message_file: self.message_file.take().or_else(|| self.platform.message_file()),
            drop_timeout: self.drop_timeout,
        };
        let prepared = output::prepare(&own_codes, &ending);
        let acquired = prepared.context("failed to start the threads for its end");
        let acquired = acquired.and_then(|()| self.acquire(&ending));
        let Acquired { runtime, manager, member, signals } = match acquired {
            Ok(acquired) => acquired,
            Err(error) => {
                // The drop of what it has captured is the user's code.
                let _ = Panic::catch(|| drop(setup));
                let code = output::failed_to_start(error, own_codes, codes.setup_failed, ending);
                return ExitCode::from(code);
            }
        };
        let (result, logged) = runtime.block_on(serve(&manager, signals, member, setup));
        let code = output::code_of_end(own_codes, &result);
        let code = code.unwrap_or_else(|| codes.code_of(&result));
        output::end(result, code, ending, logged, runtime, manager);
        ExitCode::from(code)
    }

    /// Acquires what a service needs before anything runs. The signal handlers come first: no
    /// signal that arrives from here on is lost.
    fn acquire(mut self, ending: &Ending) -> anyhow::Result<Acquired> {
        let chosen =
            self.platform.apply(&mut self.manager, &mut self.signals, self.drop_timeout)?;
        if let Some(path) = &ending.message_file {
            self.manager = self.manager.termination_log(path);
        }
        let signals: Result<Option<SignalTask>, SignalError> =
            self.signals.map(SignalTaskBuilder::build).transpose();
        let signals = signals?;
        let runtime = self.runtime.start()?;
        let entered = runtime.enter();
        let manager = self.manager.hard_exit(self.codes.hard_exit).unasked_end_warns().build()?;
        let member = match manager.begin_setup(self.setup_stop_timeout) {
            Ok(member) => Some(member),
            // A parent token was cancelled before: there is nothing to set up.
            Err(refused) if refused.is_too_late() => None,
            Err(refused) => return Err(refused.into()),
        };
        drop(entered);
        if let Some(chosen) = chosen {
            let path = ending.message_file.clone();
            output::log_start(move || chosen.log(path.as_deref()));
        }
        Ok(Acquired { runtime, manager, member, signals })
    }
}

/// What a service has before its setup runs.
struct Acquired {
    runtime: Runtime,
    manager: Manager,
    /// The setup, unless the group was stopped before.
    member: Option<Setup>,
    signals: Option<SignalTask>,
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the setup, and waits for the end of the group. Returns also the log line about the setup
/// that may still be on its way.
async fn serve<F>(
    manager: &Manager,
    signals: Option<SignalTask>,
    member: Option<Setup>,
    setup: F,
) -> (Result<Report, ShutdownError>, Option<Aside>)
where
    F: AsyncFnOnce(&Manager) -> anyhow::Result<()>,
{
    if let Some(signals) = signals
        && let Err(refused) = manager.run(signals)
        && !refused.is_too_late()
    {
        manager.setup_failed(refused);
    }
    let logged = match member {
        Some(member) => setup::run(manager, member, setup).await,
        None => {
            let _ = Panic::catch(|| drop(setup));
            setup::log_cancelled()
        }
    };
    (manager.wait().await, logged)
}
