//! How a manager is configured.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use task_core::Phase;

use crate::group::{HARD_EXIT_DELAY, SHORTEST_STOP, Settings, Shared};
use crate::{Manager, Timeout};

/// The longest time that can be set, so that sums of times and instants cannot overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Configures a [`Manager`]; made by [`Manager::builder`].
///
/// Each setter takes the builder and returns it, and none fails: [`build`](Self::build) checks all
/// settings together. The builder can be cloned, to make several managers of the same settings.
///
/// # Defaults
///
/// | setter | default |
/// |---|---|
/// | [`name`](Self::name) | `"manager"` |
/// | [`shutdown_timeout`](Self::shutdown_timeout) | 25 s |
/// | [`drain_delay`](Self::drain_delay) | 0 s: no drain |
/// | [`phase_timeout`](Self::phase_timeout) | none: what the phase has of the 25 s |
/// | [`cleanup_timeout`](Self::cleanup_timeout) | 5 s of the 25 s are kept, and a quarter of a shorter time; no limit beyond that |
/// | [`escalated_cleanup_timeout`](Self::escalated_cleanup_timeout) | 1 s, within `cleanup_timeout` |
/// | [`telemetry_timeout`](Self::telemetry_timeout) | 2 s of the 25 s, if there is telemetry; of a shorter time at most a fifth |
/// | [`start_timeout`](Self::start_timeout) | never |
/// | [`only_failures_stop`](Self::only_failures_stop) | off: any end of a critical task stops the group |
/// | [`unasked_end_fails`](Self::unasked_end_fails) | off: a critical task may end cleanly |
/// | [`unasked_end_warns`](Self::unasked_end_warns) | off: nor is that a warning |
/// | [`hard_exit`](Self::hard_exit) | off |
/// | [`termination_log`](Self::termination_log) | none |
/// | [`without_panic_hook`](Self::without_panic_hook) | off: panics are located |
/// | `parent` (feature `token`) | none |
///
/// # How the times fit together
///
/// `shutdown_timeout` is the whole, and `drain_delay` and `cleanup_timeout` are parts of it. What
/// remains between them is for stopping tasks. With the values of the example below, and a cleanup
/// registered, tasks have 18 s to end:
///
/// ```text
/// 0 s       5 s                               23 s       28 s
/// |  drain  |  stop, phase by phase, 18 s     |  cleanup |
/// ```
///
/// A part that nothing needs goes to the tasks: the drain of a group that was never ready, and the
/// time for cleanups if none is registered when the shutdown begins. So with the defaults, tasks
/// have all of the 25 s, or 20 s if there is a cleanup. How the phases share that time is in the
/// [crate documentation](crate#phases-and-deadlines).
///
/// Any `shutdown_timeout` from 100 ms on goes with the defaults. Times that are set and do not fit
/// together, or leave less than 100 ms for the tasks, are an error of [`build`](Self::build).
///
/// # Examples
///
/// A service behind a Kubernetes load balancer, with a termination grace period of 30 s:
///
/// ```
/// use std::time::Duration;
/// use task_manager::Manager;
///
/// let manager = Manager::builder()
///     .name("orders")
///     .drain_delay(Duration::from_secs(5))
///     .shutdown_timeout(Duration::from_secs(28))
///     .build()?;
/// # Ok::<(), task_manager::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build`"]
pub struct ManagerBuilder(pub(crate) Settings);

impl ManagerBuilder {
    /// How long after the whole budget, or after a report that the setup keeps from being taken,
    /// the [`hard_exit`](Self::hard_exit) ends the process.
    pub const HARD_EXIT_DELAY: Duration = HARD_EXIT_DELAY;

    /// Names the manager. Default: `"manager"`.
    ///
    /// The name is in every log event and at the head of the report. For a manager that becomes a
    /// task of another ([`Manager::into_task`]) it is the task's name, and the first part of the
    /// paths in the outer report, so nested groups should have names of their own.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Limits the whole shutdown, from its trigger to its report: drain, stop and cleanup together.
    /// Default: 25 s.
    ///
    /// Set it a little below the time after which the platform kills the process: by default,
    /// Kubernetes grants 30 s, Docker 10 s and systemd 90 s. With [`Timeout::Never`] no task is
    /// ever aborted or abandoned, and a task that does not end holds the shutdown forever; only
    /// [`Context::escalate`](task_core::Context::escalate), or the limit of an outer group, then
    /// ends it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, Timeout};
    ///
    /// Manager::builder().shutdown_timeout(Duration::from_secs(80)).build()?;
    /// Manager::builder().shutdown_timeout(Timeout::Never).build()?;
    /// # Ok::<(), task_manager::BuildError>(())
    /// ```
    pub fn shutdown_timeout(mut self, total: impl Into<Timeout>) -> Self {
        self.0.total = Some(total.into());
        self
    }

    /// Sets how long the service goes on working after it has ceased to be ready. Default: zero.
    ///
    /// It gives load balancers time to notice that the service is not ready and to send their
    /// requests elsewhere, before the server stops to accept them. On Kubernetes, 5 to 15 s are
    /// usual. It is part of [`shutdown_timeout`](Self::shutdown_timeout).
    ///
    /// Without a load balancer, zero is right. If it is left at that, there is a task of
    /// [`Phase::INGRESS`](task_core::Phase::INGRESS), and an `HttpTask` shows the readiness of the
    /// group beyond the machine, that task advises in the log to set the delay. To set it to zero
    /// says that it is meant.
    ///
    /// The drain ends early when no task below [`Phase::SUPPORT`](task_core::Phase::SUPPORT) is
    /// left. It is skipped after a failure, unless a task of
    /// [`Phase::INGRESS`](task_core::Phase::INGRESS) is alive, and always when the work is done,
    /// when the parent stops the group, and when the manager is dropped. A group that was never
    /// [ready](Manager::wait) does not drain, since no load balancer knows of it: one that nothing
    /// waited for, whose gating tasks were not all ready at some time, or whose setup runs as a
    /// task of [`Phase::SETUP`](task_core::Phase::SETUP). A nested group drains for as long as its
    /// outer group does, and uses this delay for its own triggers only.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, Phase, Task, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().drain_delay(Duration::from_secs(5)).build()?;
    /// manager.run(task_fn("server", async |ctx| {
    ///     ctx.request_stop("the example is over");
    ///     ctx.draining().await; // not ready any more, and still serving
    ///     assert!(!ctx.is_cancelled());
    ///     ctx.cancelled().await; // 5 s later
    ///     Ok(())
    /// }).in_phase(Phase::INGRESS))?;
    /// let steps = manager.wait().await?.steps();
    /// assert_eq!((steps.stopping - steps.triggered).as_secs(), 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.0.drain = Some(delay);
        self
    }

    /// Limits the time that the tasks of a phase get to end by themselves, from their stop on.
    /// Default: none, so that they have what the phase has of
    /// [`shutdown_timeout`](Self::shutdown_timeout).
    ///
    /// At the end of it they are aborted, and the next phase is stopped when they are gone. It only
    /// ever shortens the time that they have; what it frees is left to the other phases. A task's
    /// own limit is its [`stop_timeout`](task_core::Task::stop_timeout). [`Timeout::Never`] takes
    /// the limit of the phase away.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, Phase, Task, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let two = Duration::from_secs(2);
    /// let manager = Manager::builder().phase_timeout(Phase::INGRESS, two).build()?;
    /// let server = task_fn("server", async |_| std::future::pending().await);
    /// manager.run(server.in_phase(Phase::INGRESS))?;
    /// let error = manager.shutdown().await.unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "task `server` was aborted at its deadline (phase INGRESS was limited to 2.00 s)",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn phase_timeout(mut self, phase: Phase, limit: impl Into<Timeout>) -> Self {
        self.0.phases.retain(|(other, _)| *other != phase);
        self.0.phases.extend(limit.into().limit().map(|limit| (phase, limit)));
        self
    }

    /// Limits how long all cleanups together may take. Default: no limit but the end of the
    /// shutdown, and 5 s are kept for them, or a quarter of
    /// [`shutdown_timeout`](Self::shutdown_timeout) less [`drain_delay`](Self::drain_delay) if that
    /// is shorter. Without a shutdown timeout, 5 s are the limit.
    ///
    /// If a cleanup is registered when the shutdown begins, the time is kept for them: tasks are
    /// aborted early enough to leave it. Otherwise it is the tasks', and cleanups that are
    /// registered later have what is then left of the whole. What tasks do not use of their own
    /// time is left to the cleanups, up to the limit that is set here. Cleanups for which no time
    /// is left are not run, and reported as failures. With zero, none is run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, Outcome};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().cleanup_timeout(Duration::from_secs(2)).build()?;
    /// manager.cleanup("pool", async || Ok(()))?;
    /// manager.cleanup("exporter", async || {
    ///     tokio::time::sleep(Duration::from_secs(60)).await; // has 1.5 s: 0.5 s are for the pool
    ///     Ok(())
    /// })?;
    /// let error = manager.shutdown().await.unwrap_err();
    /// let cleanups = error.report().unwrap().cleanups();
    /// assert_eq!((&*cleanups[0].name, cleanups[0].outcome), ("exporter", Some(Outcome::Aborted)));
    /// assert_eq!((&*cleanups[1].name, cleanups[1].outcome), ("pool", Some(Outcome::Completed)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cleanup_timeout(mut self, budget: Duration) -> Self {
        self.0.cleanup = Some(budget);
        self
    }

    /// Sets how long all cleanups together may take in a shutdown that was escalated to
    /// [`Escalation::Abort`](task_core::Escalation::Abort). Default: 1 s, or
    /// [`cleanup_timeout`](Self::cleanup_timeout) if that is shorter.
    ///
    /// If it is longer than `cleanup_timeout`, that one holds. A nested group that is aborted by
    /// the escalation has this time for its own cleanups, before those of this group run.
    pub fn escalated_cleanup_timeout(mut self, budget: Duration) -> Self {
        self.0.escalated_cleanup = Some(budget);
        self
    }

    /// Limits the time from the making of the manager to its first readiness. Default: never.
    ///
    /// A group that is not ready by then is stopped, as a failure
    /// ([`FailureKind::NotReady`](crate::FailureKind::NotReady), which lists what was waited for).
    /// Since a group is only ready once something [waits](Manager::wait) for it, the time also
    /// covers a setup that hangs before. Set it where nothing outside, such as a startup probe,
    /// restarts a service that does not come up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{CauseKind, Manager, Task, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().start_timeout(Duration::from_secs(60)).build()?;
    /// manager.run(task_fn("cache", async |ctx| {
    ///     ctx.cancelled().await; // never calls `set_ready`
    ///     Ok(())
    /// }).gating_readiness())?;
    /// let error = manager.wait().await.unwrap_err();
    /// assert_eq!(error.report().unwrap().cause().kind, CauseKind::StartTimeout);
    /// assert_eq!(error.to_string(), "the start timed out: task `cache` is not ready");
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.0.start = timeout.into().limit();
        self
    }

    /// Makes a clean end of a critical task a failure if it begins the shutdown and nothing had
    /// asked the task to end. Default: off, so that such a shutdown is clean.
    ///
    /// It is for services that are to run until they are stopped. It has no effect on the clean
    /// ends that [`only_failures_stop`](Self::only_failures_stop) allows.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().unasked_end_fails().build()?;
    /// manager.run(task_fn("server", async |_| Ok(())))?;
    /// let error = manager.wait().await.unwrap_err();
    /// assert_eq!(error.to_string(), "task `server` ended though nothing asked it to");
    /// # Ok(())
    /// # }
    /// ```
    pub fn unasked_end_fails(mut self) -> Self {
        self.0.unasked_end_fails = true;
        self
    }

    /// Logs a warning, `service ended without a stop request`, when such a clean end of a critical
    /// task has begun a shutdown that is clean. Default: off.
    ///
    /// The line comes right before `shutdown ended`, so that [`telemetry`](Manager::telemetry) has
    /// both. `Service` of `task-service` sets it.
    pub fn unasked_end_warns(mut self) -> Self {
        self.0.unasked_end_warns = true;
        self
    }

    /// Lets only failures stop the group. Default: off, so that any end of a critical task does.
    ///
    /// A critical task's clean end then leaves the group running, as an ephemeral one's does. The
    /// group still ends when all its work is done. Use it for a batch of tasks of which each ends
    /// at its own time, such as a pipeline's stages.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{CauseKind, Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().only_failures_stop().build()?;
    /// manager.run(task_fn("read", async |_| Ok(())))?;
    /// manager.run(task_fn("write", async |_| Ok(())))?;
    /// let report = manager.wait().await?;
    /// assert_eq!(report.cause().kind, CauseKind::Completed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn only_failures_stop(mut self) -> Self {
        self.0.only_failures_stop = true;
        self
    }

    /// Ends the process with this exit code if nothing has taken the report 1 s after the whole
    /// budget, or 1 s after the report, where the [setup](Manager::begin_setup) was abandoned.
    /// Default: off.
    ///
    /// It is the last resort against code that blocks the runtime, because such code also blocks
    /// the `main` that would take the report and end the process. The report counts as taken when a
    /// [`wait`](Manager::wait) has returned it or the manager was dropped. A program that sets this
    /// therefore has to wait: the process ends after a clean shutdown as well if nothing takes its
    /// report.
    ///
    /// The deadline thread ends the process, and writes the names of up to 20 tasks that are alive
    /// to stderr before, with `(holds a thread)` behind those of which a poll or the drop has not
    /// returned, and the report, if it is made and was not taken. The threads that this takes are
    /// started when the manager is bound to its runtime, since the system may grant none later. If
    /// the exit itself blocks for a second, in an exit handler that some library registered, the
    /// process aborts. Without a [`shutdown_timeout`](Self::shutdown_timeout) there is no budget,
    /// and the process does not end. On a paused clock it does not end either.
    ///
    /// It also allows tasks to end the process by a [`fuse`](task_core::Context::fuse).
    ///
    /// # Examples
    ///
    /// A `main` that waits, and the exit code in case it cannot:
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # fn main() -> anyhow::Result<()> {
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let manager = Manager::builder().hard_exit(70).build()?;
    ///     manager.run(task_fn("worker", async |_| {
    ///         // Code that blocked here would block `wait` too. The process would end with code 70
    ///         // after 26 s of a shutdown: 25 s of budget, and 1 s.
    ///         Ok(())
    ///     }))?;
    ///     manager.wait().await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn hard_exit(mut self, code: u8) -> Self {
        self.0.hard_exit = Some(code);
        self
    }

    /// Sets how long [`telemetry`](Manager::telemetry) has after the report is made. Default: 2 s,
    /// but of what the [`shutdown_timeout`](Self::shutdown_timeout) has beside the times that are
    /// set, at most a fifth: of 8 s, 1.58 s.
    ///
    /// If telemetry is registered, this time is taken off the end of the shutdown timeout, so that
    /// nothing before it can use it up; what is left is the budget that the report names. Telemetry
    /// never has more. So a service whose collector does not answer ends that much later, and no
    /// more. A [`hard_exit`](Self::hard_exit) comes 1 s after the shutdown timeout, as without
    /// telemetry.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::Manager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().telemetry_timeout(Duration::from_secs(5)).build()?;
    /// manager.telemetry("traces", |left| {
    ///     assert!(left <= Duration::from_secs(5));
    ///     Ok(())
    /// })?;
    /// let budget = manager.shutdown().await?.steps().budget;
    /// assert_eq!(budget, Some(Duration::from_secs(20)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn telemetry_timeout(mut self, timeout: Duration) -> Self {
        self.0.telemetry = Some(timeout);
        self
    }

    /// Sets the file in which a [`hard_exit`](Self::hard_exit) leaves why it ended the process.
    /// Default: none.
    ///
    /// Kubernetes shows the content of `/dev/termination-log` in `kubectl describe pod`. What the
    /// hard exit writes there has at most 4,096 bytes: the exit code and the cause of the shutdown;
    /// the line that it writes to stderr, which names what is alive; and, if the report is made,
    /// the rest of its [message](crate::Report::ending_message). The file is made if need be, and
    /// what it had is lost. One that cannot be written, or is no regular file, changes nothing: the
    /// exit is not delayed beyond the 200 ms that it has for its output.
    ///
    /// So does a [fuse](task_core::Context::fuse) of a task of this manager, or of one that is
    /// nested in it and has no file of its own, with its line. The manager writes it at these exits
    /// alone. Who takes the report knows the exit code of every other end: `Service` of
    /// `task-service` writes the file then.
    pub fn termination_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.termination_log = Some(path.into().into());
        self
    }

    /// Leaves the process-wide panic hook alone. Default: off, so that panics are located.
    ///
    /// By default, the first manager of the process that is used within a runtime installs a hook
    /// that notes the location and the backtrace of panics in managed code, and then calls the hook
    /// that was there before. Without it, reports have the message of a panic but not its location.
    /// Set it where something else in the process owns the hook, which then also sees the panic by
    /// which Tokio answers that a runtime has no time driver. It has no effect once another manager
    /// has installed the hook.
    pub fn without_panic_hook(mut self) -> Self {
        self.0.locates_panics = false;
        self
    }

    /// Stops the group when this token is cancelled. Default: none.
    ///
    /// The group is stopped without a drain, by the thread that cancels the token and before that
    /// call returns: also while every worker of the runtime is blocked, and before there is one. A
    /// token calls those that wait for it one after the other, so one that blocks holds up those
    /// behind it, and one that panics leaves them uncalled; the manager then sees the token when a
    /// task is run or a `wait` is first polled.
    ///
    /// The manager never cancels the token, and leaves nothing in it once the group has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{CauseKind, Manager, task_fn};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let token = CancellationToken::new();
    /// let manager = Manager::builder().parent(token.clone()).build()?;
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// token.cancel();
    /// let report = manager.wait().await?;
    /// assert_eq!(report.cause().kind, CauseKind::Parent);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "token")]
    pub fn parent(mut self, token: tokio_util::sync::CancellationToken) -> Self {
        self.0.parent = Some(token);
        self
    }

    /// Returns the times that were set so far, for an entry point that has other defaults.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, Timeout};
    ///
    /// let mut builder = Manager::builder().drain_delay(Duration::from_secs(2));
    /// if builder.times().shutdown_timeout.is_none() {
    ///     builder = builder.shutdown_timeout(Duration::from_secs(8));
    /// }
    /// let times = builder.times();
    /// assert_eq!(times.shutdown_timeout, Some(Timeout::After(Duration::from_secs(8))));
    /// assert_eq!(times.drain_delay, Some(Duration::from_secs(2)));
    /// assert_eq!(times.cleanup_timeout, None);
    /// ```
    pub fn times(&self) -> SetTimes {
        SetTimes {
            shutdown_timeout: self.0.total,
            drain_delay: self.0.drain,
            cleanup_timeout: self.0.cleanup,
            longest_phase_timeout: self.0.phases.iter().copied().max_by_key(|(_, limit)| *limit),
        }
    }

    /// Makes the manager, if the settings fit together.
    ///
    /// Outside of a Tokio runtime, it is tied to the runtime of its first use, and the times that
    /// are counted since it was made are counted from then.
    ///
    /// # Errors
    ///
    /// [`BuildError`], if [`shutdown_timeout`](Self::shutdown_timeout) does not exceed
    /// [`drain_delay`](Self::drain_delay) plus [`cleanup_timeout`](Self::cleanup_timeout), if that
    /// is set, by at least 100 ms, or if any time is over 100 years.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::Manager;
    ///
    /// let builder = Manager::builder().shutdown_timeout(Duration::from_secs(5));
    /// builder.clone().build()?; // 1.25 s of it for cleanups
    /// let error = builder.cleanup_timeout(Duration::from_secs(5)).build().unwrap_err();
    /// assert!(error.is_no_time_to_stop());
    /// # Ok::<(), task_manager::BuildError>(())
    /// ```
    pub fn build(self) -> Result<Manager, BuildError> {
        let Settings { drain, cleanup, escalated_cleanup, telemetry, .. } = self.0;
        let total = self.0.total();
        let drain = drain.unwrap_or_default();
        let or_never = "`Timeout::Never` or ";
        let of_phases = self.0.phases.iter().map(|(_, limit)| *limit).max();
        for (setter, value, instead) in [
            ("shutdown_timeout", total.limit(), or_never),
            ("drain_delay", Some(drain), ""),
            ("phase_timeout", of_phases, or_never),
            ("cleanup_timeout", cleanup, ""),
            ("escalated_cleanup_timeout", escalated_cleanup, ""),
            ("telemetry_timeout", telemetry, ""),
            ("start_timeout", self.0.start, or_never),
        ] {
            if value.is_some_and(|value| value > LONGEST) {
                return Err(BuildError(Problem::TooLong { setter, instead }));
            }
        }
        if let Some(total) = total.limit()
            && total
                < drain
                    + cleanup.unwrap_or_default()
                    + telemetry.unwrap_or_default()
                    + SHORTEST_STOP
        {
            return Err(BuildError(Problem::NoTimeToStop { total, drain, cleanup, telemetry }));
        }
        Ok(Manager { shared: Shared::new(self.0) })
    }
}

/// The times of a [`ManagerBuilder`], as far as they were set: see [`ManagerBuilder::times`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetTimes {
    /// By [`shutdown_timeout`](ManagerBuilder::shutdown_timeout).
    pub shutdown_timeout: Option<Timeout>,
    /// By [`drain_delay`](ManagerBuilder::drain_delay).
    pub drain_delay: Option<Duration>,
    /// By [`cleanup_timeout`](ManagerBuilder::cleanup_timeout).
    pub cleanup_timeout: Option<Duration>,
    /// The longest by [`phase_timeout`](ManagerBuilder::phase_timeout), and its phase.
    pub longest_phase_timeout: Option<(Phase, Duration)>,
}

/// Why [`build`](ManagerBuilder::build) made no manager of the settings.
///
/// `Display` names the setters, and the values that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NoTimeToStop {
        total: Duration,
        drain: Duration,
        cleanup: Option<Duration>,
        telemetry: Option<Duration>,
    },
    TooLong {
        setter: &'static str,
        instead: &'static str,
    },
}

impl BuildError {
    /// Returns whether [`shutdown_timeout`](ManagerBuilder::shutdown_timeout) leaves less than 100
    /// ms for stopping tasks.
    pub fn is_no_time_to_stop(&self) -> bool {
        matches!(self.0, Problem::NoTimeToStop { .. })
    }

    /// Returns whether one of the times is over 100 years.
    pub fn is_too_long(&self) -> bool {
        matches!(self.0, Problem::TooLong { .. })
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::NoTimeToStop { total, drain, cleanup, telemetry } => {
                write!(
                    f,
                    "`shutdown_timeout` of {total:?} must exceed `drain_delay` of {drain:?}"
                )?;
                if let Some(cleanup) = cleanup {
                    write!(f, " plus `cleanup_timeout` of {cleanup:?}")?;
                }
                if let Some(telemetry) = telemetry {
                    write!(f, " plus `telemetry_timeout` of {telemetry:?}")?;
                }
                write!(f, " by at least {SHORTEST_STOP:?}")
            }
            Problem::TooLong { setter, instead } => {
                write!(f, "`{setter}` is over 100 years; use {instead}a shorter time")
            }
        }
    }
}

impl Error for BuildError {}
