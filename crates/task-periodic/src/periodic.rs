//! The task behind every kind of this crate: a schedule, an action, and options that are the same for all.

use std::{borrow::Cow, fmt};

use task_core::Timeout;

use crate::{Backoff, FirstRun, Jitter, OnFailure, Schedule};

/// A task that does an action again and again, when its schedule says so.
///
/// It is made as a [`LoopTask`](crate::LoopTask), a [`PollTask`](crate::PollTask) or, with feature `cron`, a
/// `CronTask`, which differ in their schedule; the options below are common to all.
///
/// - Runs of one task never overlap.
/// - A stop wins over a run that is due, and ends every wait at once, the back-off too. A run in progress is not
///   dropped by it: the task ends when the run has ended, or is aborted with it at the deadline of its phase. The
///   action can hurry, as its context says when. The task then ends with `Ok`; if the run itself ended with
///   [`Cancelled`](task_core::Cancelled), with that, which is as clean.
/// - While the group drains, runs go on.
/// - A run that fails (an error, a panic, a timeout) is survived or ends the task: see [`OnFailure`].
/// - The first good run makes the task [ready](task_core::Context::set_ready). It matters to a group that waits for
///   it, which is asked for by [`gating_readiness`](task_core::Task::gating_readiness). Later failures do not take it
///   back; the action may.
///
/// # What it shows
///
/// The task's [status](task_core::Context::set_status) has the number of runs, of failed ones and of dropped ticks, and
/// how the last run ended, or that one is in progress. A status that the action sets stays until the run's end.
///
/// Each run is a `tracing` span `run` (target `task`, level `INFO`) with the fields `run`, its number from 1, and `outcome`:
/// `succeeded`, `failed`, `panicked`, `timed out` or `cancelled`. Its lines have the same target:
///
/// | level | message | fields | when |
/// |---|---|---|---|
/// | `ERROR` | `run failed` | `error`, `took`, `in_a_row`, `next_in`, `unlogged` | a failed run is survived |
/// | `INFO` | `run succeeded again` | `took`, `failed_before` | the first good run after such a line |
/// | `DEBUG` | `run succeeded` | `took` | any other good run |
/// | `WARN` | `run is still in progress, and its next tick has passed` | `age`, `unlogged` | a run on a clock overstays its tick, and has taken a second; again each time that its age has doubled |
/// | `WARN` | `run took longer than its interval, ticks were dropped` | `ticks`, `took`, `unlogged` | ticks were dropped |
///
/// Times are in seconds. Lines with `unlogged`, errors included, come at most every 10 s for each message, and that
/// field counts those that were kept back.
///
/// # Panics
///
/// The task panics if it is run by a Tokio runtime without timers. A panic of the action that ends the task, by
/// [`OnFailure`], is raised again.
///
/// # Cancel safety
///
/// Dropping the task's future drops the run in progress, at the await where it stands.
#[derive(Clone)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct PeriodicTask<S, A> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) schedule: S,
    pub(crate) action: A,
    pub(crate) options: Options,
}

/// What is the same for every schedule.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) first_run: FirstRun,
    pub(crate) on_failure: OnFailure,
    pub(crate) backoff: Backoff,
    pub(crate) timeout: Timeout,
    pub(crate) jitter: Jitter,
    pub(crate) seed: Option<u64>,
}

impl<S: Schedule, A> PeriodicTask<S, A> {
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
        };
        Self { name: name.into(), schedule, action, options }
    }

    /// When the first run begins. Default: [`FirstRun::Immediately`], but [`FirstRun::OnSchedule`] for a cron schedule.
    pub fn first_run(mut self, first_run: FirstRun) -> Self {
        self.options.first_run = first_run;
        self
    }

    /// What a failed run means for the task. Default: [`OnFailure::Continue`].
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.options.on_failure = on_failure;
        self
    }

    /// How long the task waits, at least, after failed runs. Default: from one second to one minute.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// How long one run may take. Default: never.
    pub fn run_timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.options.timeout = timeout.into();
        self
    }

    /// A random part of each wait. Default: [`Jitter::NONE`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.options.jitter = jitter;
        self
    }

    /// Makes jitter and back-off the same every time, for tests. Default: a new seed for each task.
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
