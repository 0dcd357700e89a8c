//! The owner of a group of tasks.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use task_core::{Context, Group, Task, Timeout};

use super::{ManagerBuilder, ManagerHandle, Setup, TaskHandle};
use crate::group::{Settings, Shared, group_view};
use crate::lifecycle::{Kind, Trigger};
use crate::report::{CauseKind, NotReadyError, Refused, Report, ShutdownError};

/// Owns a group of tasks, from the first [`run`](Self::run) to the [`Report`].
///
/// A manager runs tasks, stops all of them when one ends or a stop is requested, waits for them,
/// runs the cleanups, and reports how it went. The [crate documentation](crate) describes the
/// shutdown step by step.
///
/// All methods take `&self` and can be called from any thread, within a Tokio runtime or outside of
/// one, also while the group stops. None but the `async` ones waits for anything.
///
/// # Ownership
///
/// A manager is deliberately not `Clone`: it is the one owner of its group. Keep it until
/// [`wait`](Self::wait) has returned, and exit with what that says.
///
/// Dropping it earlier stops the group, without a drain: the shutdown proceeds on the runtime,
/// within its deadlines, for as long as the process lives, and only a `wait` of a handle still
/// returns its report. A process that exits then cuts the tasks, leaves the cleanups out and has no
/// failure in its exit code. So unless a handle waits, such a drop is an error in the log, which
/// names what is alive and the cleanups that have not run.
///
/// [`handle`](Self::handle) returns a weak handle, cheap to clone, which tasks and cleanups can
/// keep without keeping the group alive.
///
/// # Runtimes
///
/// A manager belongs to the runtime in which it is made, or, if it is made outside of any, to the
/// runtime of its first use. Its timers and cleanups run there. Tasks are spawned on the runtime
/// that the caller of [`run`](Self::run) is in, so the tasks of one group may run on several
/// runtimes, and [`wait`](Self::wait) may be polled on any. Every runtime needs its time driver
/// (`enable_time` or `enable_all`).
///
/// If a runtime is shut down under its tasks, they end at once, as failures
/// ([`FailureKind::RuntimeGone`](crate::FailureKind::RuntimeGone)), and the shutdown that they
/// cause still ends.
///
/// # Leaving `main`
///
/// When [`wait`](Self::wait) has returned, a task that the report names as abandoned may still
/// block a worker. Under `#[tokio::main]`, a return from `main` drops the runtime, and that waits
/// **without limit** for every blocked worker, and for the closures of `spawn_blocking`: the
/// process hangs after a shutdown that was on time. [`hard_exit`](ManagerBuilder::hard_exit) does
/// not help, since the report was taken. There are two ways out.
///
/// Own the runtime, and have it shut down in the background, which waits for nothing:
///
/// ```
/// use std::process::ExitCode;
/// use task_manager::Manager;
///
/// fn main() -> ExitCode {
///     let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
///     let runtime = runtime.expect("the system grants threads");
///     let result = runtime.block_on(async {
///         let manager = Manager::new();
///         // run the tasks ...
///         manager.wait().await
///     });
///     runtime.shutdown_background();
///     ExitCode::from(result.map_or_else(|error| error.exit_code(), |report| report.exit_code()))
/// }
/// ```
///
/// Or end the process where `main` would return. What is alive then is not dropped:
///
/// ```
/// use task_manager::Manager;
///
/// #[tokio::main]
/// async fn main() {
///     let manager = Manager::new();
///     // run the tasks ...
///     let code = match manager.wait().await {
///         Ok(report) => report.exit_code(),
///         Err(error) => {
///             eprintln!("{error:?}"); // the whole report
///             error.exit_code()
///         }
///     };
///     std::process::exit(code.into());
/// }
/// ```
///
/// The crate `task-service` owns the runtime, and leaves it within a bounded time.
///
/// # Comparison
///
/// A Tokio `JoinSet` collects return values, aborts its tasks when it is dropped, and leaves the
/// order of stopping, deadlines and names to its owner. A `TaskTracker` with a `CancellationToken`
/// only waits until all tasks have ended. Use those where a function fans work out and collects it
/// again; use a manager for what a service consists of.
///
/// # Examples
///
/// ```
/// use task_manager::{Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
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
/// assert_eq!(report.cause().to_string(), "the example is over (task `job`)");
/// assert_eq!(report.cleanups()[0].name, "database");
/// # Ok(())
/// # }
/// ```
///
/// A failure ends the group, and `wait` returns it:
///
/// ```
/// use anyhow::Context as _;
/// use task_manager::{Manager, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// manager.run(task_fn("consumer", async |_| {
///     Err(std::io::Error::other("no broker")).context("reading orders")
/// }))?;
/// let error = manager.wait().await.unwrap_err();
/// assert_eq!(error.to_string(), "task `consumer` failed");
/// assert_eq!(
///     format!("{:#}", anyhow::Error::new(error)),
///     "task `consumer` failed: reading orders: no broker",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a manager that is dropped stops its group and loses its report: keep it until `wait` returns"]
pub struct Manager {
    pub(crate) shared: Arc<Shared>,
}

impl Manager {
    /// Makes a manager with the defaults that [`ManagerBuilder`] states: named `manager`, no drain,
    /// 25 s for a shutdown, 5 s of which for cleanups if there are any.
    ///
    /// Outside of a Tokio runtime, the manager is tied to the runtime of its first use, and the
    /// times that are counted since it was made are counted from then. If it is dropped before, it
    /// runs nothing, cleanups included.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new(); // outside of a runtime
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     manager.run_ephemeral(task_fn("job", async |_| Ok(())))?;
    ///     manager.wait().await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn new() -> Self {
        Self { shared: Shared::new(Settings::default()) }
    }

    /// Returns a builder, to configure a manager before it is made.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder(Settings::default())
    }

    /// Runs a critical task: any end of it, clean or not, stops the group.
    ///
    /// The policy for clean ends is a setting of the group:
    /// [`only_failures_stop`](ManagerBuilder::only_failures_stop) lets the group go on after them.
    /// For a task that may end while the others go on, use [`run_ephemeral`](Self::run_ephemeral).
    ///
    /// The task is spawned before this call returns: on the caller's runtime, or on the manager's
    /// if the caller is outside of any. Its name, phase, gate and stop timeout are asked for once,
    /// on the calling thread.
    ///
    /// It may be called at any time and from anywhere, also by a task of this group, through a
    /// [`ManagerHandle`]. While the group drains, tasks are admitted; while it stops, those of
    /// phases that have not been stopped yet. Such a task shares the time that its phase has left.
    /// Admission and shutdown exclude each other: a task is either a full part of the shutdown, or
    /// handed back.
    ///
    /// The returned handle can be dropped; the task goes on.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the task in it, which was not polled:
    ///
    /// - if its phase has been stopped, or cleanups have begun
    ///   ([`is_too_late`](Refused::is_too_late));
    /// - if there is no Tokio runtime with a time driver
    ///   ([`is_no_runtime`](crate::RefusedReason::is_no_runtime));
    /// - if the system refuses the process its first threads for deadlines
    ///   ([`is_no_thread`](crate::RefusedReason::is_no_thread));
    /// - if asking the task for any of them panics
    ///   ([`is_panicked`](crate::RefusedReason::is_panicked)).
    ///
    /// # Panics
    ///
    /// Does not panic. A panic of the task is an outcome of the task.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Outcome, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let worker = manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// manager.run(task_fn("reader", async |_| Ok(())))?; // its end stops the worker
    /// manager.wait().await?;
    /// assert_eq!(worker.outcome(), Some(Outcome::Completed));
    ///
    /// let refused = manager.run(task_fn("late", async |_| Ok(()))).unwrap_err();
    /// assert!(refused.is_too_late());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        self.shared.admit(task, Kind::Critical).map(TaskHandle)
    }

    /// Runs an ephemeral task: a clean end of it leaves the group running, a failure stops the
    /// group.
    ///
    /// It differs from [`run`](Self::run) in that alone. An ephemeral task that has ended cleanly
    /// leaves nothing behind but counts, so a group can run any number of them in its life.
    ///
    /// A group of ephemeral tasks alone ends when all of them have ended, once something
    /// [waits](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// Jobs that run side by side, and stop each other at the first failure:
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// for shard in 0..4 {
    ///     manager.run_ephemeral(task_fn("import", async move |ctx| {
    ///         ctx.set_status(format!("importing shard {shard}"));
    ///         Ok(())
    ///     }))?;
    /// }
    /// let report = manager.wait().await?;
    /// assert_eq!(report.totals().completed, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_ephemeral<T: Task>(&self, task: T) -> Result<TaskHandle, Refused<T>> {
        self.shared.admit(task, Kind::Ephemeral).map(TaskHandle)
    }

    /// Registers a hook that runs after all tasks have ended or were abandoned.
    ///
    /// Hooks run on the manager's runtime, one at a time, the last registered first, and at most
    /// once. A hook may take all that is left of the shutdown, or of
    /// [`cleanup_timeout`](ManagerBuilder::cleanup_timeout) if that is set, but a little for each
    /// later one: up to 1 s, and half of what is left for all of them. Of three hooks and 5 s, the
    /// first has 3.33 s, and what it does not use is left to the others. A little before that, by
    /// at most 250 ms, it is aborted, and abandoned if that does not succeed. One that fails,
    /// panics or takes too long is a failure in the report, and the next one runs. One for which no
    /// time is left is not run, and reported as such.
    ///
    /// [`cleanup_with`](Self::cleanup_with) gives the hook a context, by which it knows how long it
    /// has; [`cleanup_beside`](Self::cleanup_beside) has hooks run at once.
    ///
    /// A hook that is registered while hooks run is the next to run. Hooks run after every
    /// shutdown, however it began, also one that [`setup_failed`](Self::setup_failed) began.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the hook in it, once the report is made.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::Manager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.cleanup("pool", async || Ok(()))?;
    /// manager.cleanup("exporter", async || Ok(()))?; // uses the pool, so it is closed before it
    /// let report = manager.shutdown().await?;
    /// let order: Vec<_> = report.cleanups().iter().map(|cleanup| &*cleanup.name).collect();
    /// assert_eq!(order, ["exporter", "pool"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cleanup<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.shared.add_hook(name.into(), false, hook, |hook, _| hook())
    }

    /// Registers a hook as [`cleanup`](Self::cleanup) does, which is called with a context of its
    /// own.
    ///
    /// [`Context::remaining`](task_core::Context::remaining) is the time until the hook is aborted.
    /// Failures that it records are in the report under its name, and so is its status if it is
    /// abandoned. The context is never cancelled.
    ///
    /// # Errors
    ///
    /// As [`cleanup`](Self::cleanup).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Context, Manager};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.cleanup_with("spool", async |ctx: Context| {
    ///     let left = ctx.remaining().unwrap_or(Duration::MAX);
    ///     assert_eq!(left, Duration::from_millis(24_750)); // flush what fits into that
    ///     Ok(())
    /// })?;
    /// manager.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cleanup_with<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.shared.add_hook(name.into(), false, hook, |hook, ctx| hook(ctx))
    }

    /// Registers a hook that runs at the same time as the one that was registered right before it.
    ///
    /// Several in a row make one set. Its hooks have the same time and the same deadline, each is
    /// named in the report by itself, and the next hook waits for all of them. If the hook before
    /// has begun already, or there is none, this one begins a set of its own.
    ///
    /// # Errors
    ///
    /// As [`cleanup`](Self::cleanup).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::Manager;
    /// use tokio::time::sleep;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.cleanup("pool", async || Ok(()))?; // after both
    /// manager.cleanup("traces", async || Ok(sleep(Duration::from_secs(3)).await))?;
    /// manager.cleanup_beside("metrics", async |_| Ok(sleep(Duration::from_secs(3)).await))?;
    /// let steps = manager.shutdown().await?.steps();
    /// assert_eq!((steps.ended - steps.cleaning_up).as_secs(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cleanup_beside<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.shared.add_hook(name.into(), true, hook, |hook, ctx| hook(ctx))
    }

    /// Registers telemetry that is flushed last: behind all cleanups, when the report is made and
    /// logged, so that it has the last log lines and the last spans.
    ///
    /// `flush` is called with the time that it has left, and may block: it runs on a plain thread,
    /// which also a blocked runtime does not hold up. It is for calls such as OpenTelemetry's
    /// `shutdown_with_timeout`. Several flushes run at once.
    ///
    /// They have [`telemetry_timeout`](ManagerBuilder::telemetry_timeout), by default 2 s, which is
    /// reserved within the shutdown timeout: nothing that comes before can use it up, and a
    /// collector that does not answer delays the end by no more. Of that time, up to a quarter may
    /// pass until the last log line is written, if the log is slow. `wait` returns when all flushes
    /// have ended, or the time is over; what has not ended by then is left behind.
    ///
    /// A flush is in no report, since that is made before. One that fails, panics or is late is
    /// named in one line on stderr. Spans that are open at that time are not flushed by it: end
    /// them, and all work, before the end of the tasks and cleanups. A flush must not wait for its
    /// own manager. A nested group flushes at its own end, within the time of its task.
    ///
    /// On a paused clock the flushes take real time.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the flush, if the shutdown has begun, or the system grants no thread for
    /// it. Register it before anything else, so that it is flushed also if the setup fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::Manager;
    ///
    /// # struct Provider;
    /// # impl Provider { fn shutdown_with_timeout(&self, _: Duration) -> anyhow::Result<()> { Ok(()) } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let provider = Provider; // an `SdkTracerProvider`
    /// manager.telemetry("traces", move |left| provider.shutdown_with_timeout(left))?;
    /// manager.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn telemetry<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        flush: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce(Duration) -> anyhow::Result<()> + Send + 'static,
    {
        self.shared.add_flush(name.into(), flush)
    }

    /// Requests the group to stop, and returns at once.
    ///
    /// It begins the shutdown, with its drain; if one has begun already, the request is recorded in
    /// [`later_triggers`](Report::later_triggers) and changes nothing. The shutdown proceeds
    /// whether or not anything waits for it. After the end of the group it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{CauseKind, Manager, Step, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// manager.stop();
    /// assert_ne!(manager.group().step(), Step::Running);
    /// let report = manager.wait().await?;
    /// assert_eq!(report.cause().kind, CauseKind::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) {
        self.shared.trigger(CauseKind::Stopped, Trigger::Request);
    }

    /// Waits until the group has ended, and returns the report.
    ///
    /// The group ends when something stops it, or when its work is done. That is judged from the
    /// first poll of a `wait` on: the work is done when only tasks of
    /// [`Phase::SUPPORT`](task_core::Phase::SUPPORT) or above are left, or, if there never were
    /// others, when no task is left. The first poll also makes the group's
    /// [readiness](Group::readiness) possible.
    ///
    /// Any number of callers may wait, at any time and on any runtime, also after the end; all get
    /// the same result. When it returns, no task of the group is alive, except those that the
    /// report names as abandoned. These can hold up a return from `main`, as [Leaving
    /// `main`](Self#leaving-main) describes.
    ///
    /// # Errors
    ///
    /// [`ShutdownError`], with the report in it, if anything went wrong. The wait itself is
    /// refused, with no report:
    ///
    /// - at the first poll, if the calling code is part of this group, where it would wait for
    ///   itself: a task, a blocking task's thread or a cleanup of this manager or of one nested in
    ///   it, or a helper of a task within [`Context::enter`](task_core::Context::enter); or later,
    ///   as soon as the caller's group is nested in this one
    ///   ([`is_inside`](ShutdownError::is_inside)). What a task has spawned and does not enter is
    ///   not known as its code: a wait there ends with the group, and keeps a task that joins it
    ///   from ending;
    /// - if the manager was not used within a Tokio runtime with a time driver before, nor is now
    ///   ([`is_no_runtime`](ShutdownError::is_no_runtime));
    /// - if the system refuses the process its first threads for deadlines
    ///   ([`is_no_thread`](ShutdownError::is_no_thread)).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. The shutdown does not depend on it, and a later call returns the
    /// same result.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// tokio::select! {
    ///     result = manager.wait() => { result?; }
    ///     () = async { /* a signal */ } => manager.stop(),
    /// }
    /// let report = manager.wait().await?; // the first wait was dropped: no harm done
    /// assert!(report.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&self) -> Result<Report, ShutdownError> {
        self.shared.wait().await
    }

    /// Stops the group and waits for it: [`stop`](Self::stop), then [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait). Called from inside, it stops the group, and the wait is refused.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Once it was polled, the group is stopped, and a later `wait`
    /// returns the same result.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// let report = manager.shutdown().await?;
    /// assert_eq!(report.totals().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) -> Result<Report, ShutdownError> {
        self.stop();
        self.wait().await
    }

    /// Waits until every task that gates readiness is ready.
    ///
    /// It considers the gating tasks that have been run by then, so with none it resolves at once.
    /// It does not need a [`wait`](Self::wait); the group's own [readiness](Group::readiness) does,
    /// and stays false until one is polled.
    ///
    /// # Errors
    ///
    /// [`NotReadyError`] if a gating task ended first, which the error names, or if the group is
    /// shutting down.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Task, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let cache = task_fn("cache", async |_| anyhow::bail!("the snapshot is missing"));
    /// manager.run(cache.gating_readiness())?;
    /// let error = manager.ready().await.unwrap_err();
    /// assert_eq!(error.task(), Some("cache"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ready(&self) -> Result<(), NotReadyError> {
        self.shared.ready().await
    }

    /// Makes the calling code a member of the group: the setup of the service, until the returned
    /// value is dropped.
    ///
    /// What sets a service up uses what the cleanups close, and holds what the tasks work with. So
    /// it is a part of the shutdown, and the first: as the only member of
    /// [`Phase::SETUP`](task_core::Phase::SETUP) it is asked to end before any task is stopped, and
    /// the tasks and cleanups that it adds until then are admitted. The group waits for it for
    /// `stop_timeout` from then on, which is part of the
    /// [`shutdown_timeout`](ManagerBuilder::shutdown_timeout). One that has not ended by then is
    /// abandoned and named as `setup`, and the shutdown goes on without it. With a [hard
    /// exit](ManagerBuilder::hard_exit), the process then ends 1 s after the report is made, unless
    /// the report was taken.
    ///
    /// It is no task: it counts neither as work, for which the group would drain or go on, nor
    /// among the tasks of the report, where it is listed only if the shutdown had to end it. The
    /// group's view shows it.
    ///
    /// The manager does not run it, so it may block the only thread of the runtime, and need not
    /// be `Send`. It must drop what it uses before it drops the returned value.
    ///
    /// # Errors
    ///
    /// [`Refused`], as for [`run`](Self::run): if the group is being stopped already, or if there
    /// is no runtime or no thread for the deadlines.
    ///
    /// # Examples
    ///
    /// A setup that ends where it stands when the service is stopped:
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// # async fn connect() -> anyhow::Result<u32> { Ok(1) }
    /// let manager = Manager::new();
    /// let mut setup = manager.begin_setup(Duration::from_secs(2))?;
    /// match setup.context().or_cancelled(connect()).await {
    ///     Ok(Ok(connection)) => {
    ///         manager.run_ephemeral(task_fn("job", async move |_| Ok(drop(connection))))?;
    ///     }
    ///     Ok(Err(error)) => setup.failed(error),
    ///     Err(_cancelled) => {}
    /// }
    /// drop(setup);
    /// let report = manager.wait().await?;
    /// assert_eq!(report.totals().started, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin_setup(&self, stop_timeout: impl Into<Timeout>) -> Result<Setup, Refused<()>> {
        self.shared.admit_setup(stop_timeout.into()).map(Setup::new)
    }

    /// Stops the group because the service could not be set up.
    ///
    /// `error` becomes a failure, and the root unless something failed before. If it begins the
    /// shutdown, [`Report::exit_code`] is 3. The tasks that were run are stopped, and the cleanups
    /// that were registered run, as in any shutdown. After the end of the group, `error` is only
    /// logged.
    ///
    /// Entry points call it; tasks return their errors instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::Manager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let manager = Manager::new();
    /// if let Err(error) = "not a number".parse::<u16>() {
    ///     manager.setup_failed(error);
    /// }
    /// let error = manager.wait().await.unwrap_err();
    /// assert_eq!(error.to_string(), "the setup failed");
    /// assert_eq!(error.exit_code(), 3);
    /// # }
    /// ```
    pub fn setup_failed(&self, error: impl Into<anyhow::Error>) {
        self.shared.setup_failed(error.into());
    }

    /// Returns a weak handle to this manager, cheap to clone.
    pub fn handle(&self) -> ManagerHandle {
        ManagerHandle(Arc::downgrade(&self.shared))
    }

    /// Returns the read-only view of the group: its step, its readiness, every task.
    ///
    /// The view keeps the group's record alive, not its tasks, and can be read after the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Step, TaskState, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// let snapshot = manager.group().snapshot();
    /// assert_eq!(snapshot.step, Step::Running);
    /// assert_eq!(snapshot.tasks[0].state, TaskState::Running);
    /// # manager.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn group(&self) -> Group {
        group_view(&self.shared)
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
            self.shared.owner_dropped();
        }
        self.shared.alarm.set_taken();
        self.shared.alarm.set_left();
    }
}
