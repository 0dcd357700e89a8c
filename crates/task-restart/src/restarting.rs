//! The task that is run again: its constructor and its options.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use task_core::{Backoff, Context, Phase, Task, Timeout};

use crate::{
    FailureLimit, Restart, RestartHandle, options::Options, shared::Life, supervise::supervise,
    sync::Ordering,
};

/// Creates a task that is run again after it failed. `factory` makes the task for each run.
///
/// The first call is made here, so that a configuration that is wrong is an error of the start and
/// not of the first run. The name, the phase and the other properties are those of that first task.
///
/// The later calls are made on the runtime, within the task: the factory must not block. What
/// connects, waits or blocks belongs into the run. What the factory captures is what is kept from
/// run to run; see [what a run loses](crate#what-a-run-loses).
///
/// # Errors
///
/// The error of the first call.
///
/// # Panics
///
/// If the first call panics. Later, a panic of the factory is a failed run.
///
/// # Examples
///
/// ```
/// use task_core::{Context, Task, task_fn};
/// use task_restart::restarting;
/// # async fn consume(_: Context, _: String) -> anyhow::Result<()> { Ok(()) }
///
/// # fn main() -> anyhow::Result<()> {
/// let topic = String::from("orders");
/// let consumer = restarting(move || {
///     let topic = topic.clone();
///     Ok(task_fn("consumer", async move |ctx| consume(ctx, topic).await))
/// })?;
/// assert_eq!(consumer.name(), "consumer");
/// # Ok(())
/// # }
/// ```
pub fn restarting<F, T>(mut factory: F) -> anyhow::Result<Restarting<F, T>>
where
    F: FnMut() -> anyhow::Result<T> + Send + 'static,
    T: Task,
{
    let first = factory()?;
    Ok(Restarting { first, factory, options: Options::default(), life: Life(Arc::default()) })
}

/// A task that is run again after it failed. Returned by [`restarting`].
///
/// # Runs
///
/// - Two runs of one task are never alive together: the next one begins when the future of the last
///   one is dropped and its last [`Hold`](task_core::Hold) released. A thread that does not end
///   within [`run_stop_timeout`](Self::run_stop_timeout) ends the task with [`RunStillHeld`].
/// - A run has [failed](Restart::OnFailure) if it returned an error, panicked, or took longer than
///   [`run_timeout`](Self::run_timeout), and if the factory failed or panicked. It is followed by a
///   back-off and another run, unless there were too many failures ([`limit`](Self::limit)) or the
///   error is fatal ([`fatal_if`](Self::fatal_if)): then the task ends with the error, and with it
///   the group.
/// - Each run has a context of its own. A run that is over has no say any more: what a helper of it
///   calls on that context later changes neither the readiness nor the status.
///
/// # Readiness
///
/// It follows the run: when a run ends the task is not ready, until the next one says that it is.
/// [`keep_ready_for`](Self::keep_ready_for) spares the group a moment without readiness.
///
/// # Shutdown
///
/// A stop is handed on to the run at hand, on the thread that stops the task, and how that run ends
/// is how the task ends: an error or a panic then is not followed by another run. A stop while the
/// task waits, or while the factory makes a task, ends it cleanly at once. While the group drains,
/// runs go on and begin.
///
/// # Report, view and log
///
/// Restarts and survived failures are counted in the group's view and in the report of the task,
/// and the view shows how long it waits. The report is clean if the task ended cleanly, unless
/// [`record_failures`](Self::record_failures) asks for more; that holds for what a run
/// [records](Context::record_failure), too, unless the task is being stopped. The status says which
/// run failed, with what, and when the next one begins, until that begins.
///
/// Each run is a `tracing` span `run` (target `task`, level `INFO`) with the field `run`, its
/// number starting at 1. The events have the same target:
///
/// | level | message | fields | when |
/// |---|---|---|---|
/// | `ERROR` | `run failed` | `run`, `error`, `took`, `in_a_row`, `next_in`, `unlogged` | a run failed and there will be another; at most every 10 s, `unlogged` counts the others |
/// | `INFO` | `up again` | `after`, `failed_before` | after such an event, the first run that is ready or has been up for `stable_after` |
/// | `INFO` | `run ended for a restart` | `run`, `reason` | another run was [asked for](RestartHandle::restart) |
///
/// Times are in seconds, rounded to a millisecond or, below 10 ms, to a microsecond. Errors are cut
/// at 256 bytes.
///
/// # Panics
///
/// The task panics if it runs on a Tokio runtime without timers. A panic of a run in a shutdown is
/// resumed.
///
/// # Cancel safety
///
/// Dropping the task's future drops the run at its current await, and cancels its context.
///
/// [`RunStillHeld`]: crate::RunStillHeld
#[must_use = "a task does nothing until a manager runs it"]
pub struct Restarting<F, T> {
    first: T,
    factory: F,
    options: Options,
    life: Life,
}

impl<F, T> Restarting<F, T> {
    /// Sets after which ends the task is run again. Default: [`Restart::OnFailure`].
    pub fn on(mut self, ends: Restart) -> Self {
        self.options.on = ends;
        self
    }

    /// Sets the wait after failed runs. Default: from one second to one minute.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// Sets how many failures within which time are survived. Default: 30 within an hour.
    pub fn limit(mut self, limit: FailureLimit) -> Self {
        self.options.limit = limit;
        self
    }

    /// Sets how long a run must have been up for the back-off to start over. The failure still
    /// counts for the [`limit`](Self::limit). Default: 60 s.
    pub fn stable_after(mut self, up: Duration) -> Self {
        self.options.stable_after = up;
        self
    }

    /// Sets which errors are fatal: a run, or the factory, that fails with one ends the task at
    /// once, with that error. The predicate should go by the type of the error
    /// (`|error| error.is::<BadCredentials>()`) and not by its text. One that panics says no.
    /// Default: none is.
    pub fn fatal_if(mut self, is_fatal: impl Fn(&anyhow::Error) -> bool + Send + 'static) -> Self {
        self.options.fatal_if = Some(Box::new(is_fatal));
        self
    }

    /// Sets how long one run may take. Default: [`Timeout::Never`].
    ///
    /// A run that takes longer is cancelled, and dropped if it does not end within
    /// [`run_stop_timeout`](Self::run_stop_timeout). It has failed with
    /// [`RunTimedOut`](crate::RunTimedOut). A run that never awaits cannot be interrupted. Once the
    /// task is being stopped, its deadline is that of its phase alone.
    pub fn run_timeout(mut self, limit: impl Into<Timeout>) -> Self {
        self.options.run_timeout = limit.into();
        self
    }

    /// Sets how long a run that alone is asked to end, because of its
    /// [`run_timeout`](Self::run_timeout) or for a [restart](RestartHandle::restart), may take until
    /// it is dropped; and how long the next run waits for the threads and other holders of one that
    /// has ended. Default: 10 s.
    pub fn run_stop_timeout(mut self, limit: Duration) -> Self {
        self.options.run_stop_timeout = limit;
        self
    }

    /// Sets for how long the task counts as ready after a run that was ready has ended, while the
    /// next one is not. Default: zero.
    ///
    /// Where all replicas of a service depend on one thing that is away for a moment, they are not
    /// ready all at once, which is an outage; a few seconds here spare that.
    pub fn keep_ready_for(mut self, time: Duration) -> Self {
        self.options.keep_ready_for = time;
        self
    }

    /// Puts each survived failure into the report, which is then not clean: that of a run, and what
    /// a run itself [records](Context::record_failure). Default: they are logged and counted.
    pub fn record_failures(self) -> Self {
        self.life.0.records_failures.store(true, Ordering::SeqCst);
        self
    }

    /// Sets the seed of the back-off, for tests: the same seed gives the same waits. Default: a new
    /// seed for each task.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Returns a handle that asks for another run.
    pub fn handle(&self) -> RestartHandle {
        RestartHandle::new(Arc::clone(&self.life.0))
    }
}

impl<F, T> Task for Restarting<F, T>
where
    F: FnMut() -> anyhow::Result<T> + Send + 'static,
    T: Task,
{
    fn name(&self) -> Cow<'static, str> {
        self.first.name()
    }

    fn phase(&self) -> Phase {
        self.first.phase()
    }

    fn gates_readiness(&self) -> bool {
        self.first.gates_readiness()
    }

    fn stop_timeout(&self) -> Timeout {
        self.first.stop_timeout()
    }

    fn admitted(&mut self, ctx: &Context) {
        self.life.follow(ctx);
        let run = self.life.0.begin(ctx, 1);
        self.first.admitted(&Context::new(run));
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { first, factory, options, life } = self;
        supervise(first, factory, options, life, ctx).await
    }
}

impl<F, T> fmt::Debug for Restarting<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { on, backoff, limit, .. } = &self.options;
        f.debug_struct("Restarting")
            .field("on", on)
            .field("backoff", backoff)
            .field("limit", limit)
            .finish_non_exhaustive()
    }
}
