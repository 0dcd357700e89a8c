//! The task behind every kind of this crate: a schedule, an action, and the common options.

use std::{borrow::Cow, fmt};

use task_core::Timeout;

use crate::{Backoff, FirstRun, Jitter, OnFailure, Schedule};

/// A task that performs an action repeatedly, on a schedule.
///
/// It is constructed as a [`LoopTask`](crate::LoopTask), a [`PollTask`](crate::PollTask) or, with
/// feature `cron`, a `CronTask`, which differ in their schedule. The options below are common to
/// all.
///
/// # Runs
///
/// - Runs of one task never overlap: the future of a run has ended or is dropped before the next
///   run begins, and so has the thread of a [`blocking`](crate::blocking) run. Not included is what
///   a run starts elsewhere: the closure of a `spawn_blocking` goes on beside the next runs if its
///   run times out. See [`Action::run`](crate::Action::run).
/// - A run that fails (an error, a panic, a timeout) is followed by a back-off or ends the task:
///   see [`OnFailure`].
/// - The first successful run makes the task [ready](task_core::Context::set_ready). This matters
///   to a group that waits for the task, which
///   [`gating_readiness`](task_core::Task::gating_readiness) asks for. Later failures do not revoke
///   it; the action may.
///
/// # Shutdown
///
/// - A stop takes precedence over a run that is due, and ends every wait at once, the back-off too.
/// - A run in progress is not dropped by a stop: the task ends when the run ends, or is aborted
///   with it at the deadline of its phase. The action can end early: its context is cancelled.
/// - [`run_at_stop`](Self::run_at_stop) adds one last run.
/// - The task then returns `Ok`, or, if the run itself ended with
///   [`Cancelled`](task_core::Cancelled), that error, which is as clean.
/// - While the group drains, runs continue.
///
/// # Status, spans and log
///
/// The task's [status](task_core::Context::set_status) contains the number of runs, of failed runs
/// and of dropped ticks, and how the last run ended, or that one is in progress. A status that the
/// action sets stays until the end of the run.
///
/// Each run is a `tracing` span `run` (target `task`, level `INFO`) with the fields `run`, its
/// number starting at 1, and `outcome`: `succeeded`, `failed`, `panicked`, `timed out` or
/// `cancelled`. The events have the same target:
///
/// | level | message | fields | when |
/// |---|---|---|---|
/// | `ERROR` | `run failed` | `error`, `took`, `in_a_row`, `next_in`, `unlogged` | a run failed and the task continues |
/// | `INFO` | `run succeeded again` | `took`, `failed_before` | the first successful run after such an event |
/// | `DEBUG` | `run succeeded` | `took` | any other successful run |
/// | `WARN` | `run is still in progress, and its next tick has passed` | `age`, `unlogged` | a run on a clock outlasts its interval, and has taken a second; again each time its age has doubled |
/// | `WARN` | `the thread of the run goes on, and the next run waits for it` | `took`, `unlogged` | a [`blocking`](crate::blocking) run timed out |
/// | `INFO`, `WARN` | `the thread of an abandoned run has returned`, or `has failed` | `took`, `error` | the thread of a blocking run that timed out, or whose task was aborted, has ended |
/// | `WARN` | `run took longer than its interval, ticks were dropped` | `ticks`, `took`, `unlogged` | ticks were dropped |
///
/// Times are in seconds, rounded to a millisecond or, below 10 ms, to a microsecond. Events with
/// the field `unlogged`, errors included, are emitted at most every 10 s for each message; the
/// field counts those that were suppressed since the last one. The failure of a run that no other
/// follows, such as the one at the stop, is always an event.
///
/// # Panics
///
/// The task panics if it runs on a Tokio runtime without timers. A panic of the action that ends
/// the task, by [`OnFailure`], is resumed.
///
/// # Cancel safety
///
/// Dropping the task's future drops the run in progress at its current await.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// use task_core::Task;
/// use task_periodic::{Backoff, Jitter, OnFailure, PollTask};
///
/// # async fn load_prices() -> anyhow::Result<()> { Ok(()) }
/// let prices = PollTask::new("prices", Duration::from_secs(30), async |_ctx| load_prices().await)?
///     .run_timeout(Duration::from_secs(20))
///     .on_failure(OnFailure::FailAfter(10))
///     .backoff(Backoff::new(Duration::from_secs(2), Duration::from_secs(120))?)
///     .jitter(Jitter::fraction(0.1)?)
///     .gating_readiness();
/// assert_eq!(prices.name(), "prices");
/// # Ok::<_, anyhow::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct PeriodicTask<S, A> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) schedule: S,
    pub(crate) action: A,
    pub(crate) options: Options,
}

/// The options that every schedule has.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) first_run: FirstRun,
    pub(crate) on_failure: OnFailure,
    pub(crate) backoff: Backoff,
    pub(crate) timeout: Timeout,
    pub(crate) jitter: Jitter,
    pub(crate) seed: Option<u64>,
    pub(crate) runs_at_stop: bool,
}

impl<S: Schedule, A> PeriodicTask<S, A> {
    /// Creates a task with the default options.
    pub(crate) fn assemble(
        name: impl Into<Cow<'static, str>>,
        schedule: S,
        action: A,
        first_run: FirstRun,
    ) -> Self {
        let options = Options {
            first_run,
            on_failure: OnFailure::default(),
            backoff: Backoff::default(),
            timeout: Timeout::Never,
            jitter: Jitter::default(),
            seed: None,
            runs_at_stop: false,
        };
        Self { name: name.into(), schedule, action, options }
    }

    /// Sets when the first run begins. Default: [`FirstRun::Immediately`], but
    /// [`FirstRun::OnSchedule`] for a cron schedule.
    pub fn first_run(mut self, first_run: FirstRun) -> Self {
        self.options.first_run = first_run;
        self
    }

    /// Sets what a failed run means for the task. Default: [`OnFailure::Continue`].
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.options.on_failure = on_failure;
        self
    }

    /// Sets the least wait after failed runs. One successful run resets it. Default: from one
    /// second to one minute.
    ///
    /// The back-off never makes a run earlier than its schedule. A loop waits for the longer of
    /// delay and back-off. On a clock, [`MissedTicks`](crate::MissedTicks) applies to the ticks
    /// within the back-off: `Skip` skips them, `Delay` makes up for them with one run after it,
    /// `Burst` with all.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// Sets how long one run may take. Default: [`Timeout::Never`].
    ///
    /// A run that takes longer is dropped at its current await and has failed with
    /// [`RunTimedOut`](crate::RunTimedOut). A run that never awaits cannot be interrupted, and what
    /// the run has started elsewhere goes on: after a `spawn_blocking` its closure, beside the next
    /// run. The thread of a [`blocking`](crate::blocking) run goes on, too, but the next run waits
    /// for it.
    ///
    /// The time is Tokio's, for cron tasks too, and a result that is ready at the limit counts.
    pub fn run_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.options.timeout = timeout.into();
        self
    }

    /// Sets the random part of each wait. Default: [`Jitter::NONE`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.options.jitter = jitter;
        self
    }

    /// Performs one last run when the task is stopped, such as to flush what was gathered since the
    /// run before. Default: a stop starts no run.
    ///
    /// It begins at once: in a wait or a back-off at the stop, after a run in progress at its end,
    /// and also where no run came before. It is a run like any other: its number, its
    /// [`run_timeout`](Self::run_timeout) and its failure count, and a failure can end the task.
    /// By default its failure is in the log alone; [`OnFailure::Record`] puts it into the report.
    /// There is none after a failure that has ended the task. While the group drains, runs continue
    /// and none is the last.
    ///
    /// Its context is cancelled when it begins, as that of no other run is.
    /// So [`or_cancelled`](task_core::Context::or_cancelled) returns at once there: what the last
    /// run is for is awaited plainly. It has the time that is left to the task
    /// ([`remaining`](task_core::Context::remaining)), and is aborted with it at the deadline. The
    /// rest of a run in progress, or of the thread of a [`blocking`](crate::blocking) run, is taken
    /// from that time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{sync::{Arc, Mutex}, time::Duration};
    /// # use task_periodic::PollTask;
    /// # async fn send(samples: Vec<u64>) -> anyhow::Result<()> { Ok(()) }
    /// # let gathered = Arc::new(Mutex::new(Vec::<u64>::new()));
    /// let flush = PollTask::new("flush", Duration::from_secs(10), async move |_ctx| {
    ///     let samples = std::mem::take(&mut *gathered.lock().unwrap());
    ///     send(samples).await
    /// })?
    /// .run_at_stop();
    /// # Ok::<_, task_periodic::PeriodicError>(())
    /// ```
    pub fn run_at_stop(mut self) -> Self {
        self.options.runs_at_stop = true;
        self
    }

    /// Sets the seed of jitter and back-off, for tests: the same seed gives the same waits.
    /// Default: a new seed for each task.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }
}

impl<S: fmt::Debug, A> fmt::Debug for PeriodicTask<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, schedule, action: _, options } = self;
        f.debug_struct("PeriodicTask")
            .field("name", name)
            .field("schedule", schedule)
            .field("options", options)
            .finish_non_exhaustive()
    }
}
