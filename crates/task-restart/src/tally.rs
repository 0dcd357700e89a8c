//! What is said of the runs: the task's status and its log events.

use std::{mem, time::Duration};

use task_core::{Context, scope::seconds};
use tracing::{error, info};

/// The least time between two log lines of failed runs.
const PAUSE: Duration = Duration::from_secs(10);

/// Sets the task's status and emits its events. Instants are times since the task began.
pub(crate) struct Tally {
    ctx: Context,
    last_logged: Option<Duration>,
    unlogged: u64,
    /// Since when no run was up, and how many have failed since then.
    down: Option<(Duration, u64)>,
    /// Whether a failure was logged since then: then the next run that is up is logged too.
    has_logged: bool,
}

/// A run that has failed.
pub(crate) struct Failed<'a> {
    pub(crate) run: u64,
    pub(crate) error: &'a str,
    pub(crate) ran: Duration,
    pub(crate) in_a_row: u32,
    pub(crate) next_in: Duration,
}

impl Tally {
    pub(crate) fn new(ctx: Context) -> Self {
        Self { ctx, last_logged: None, unlogged: 0, down: None, has_logged: false }
    }

    /// Returns whether a run has failed, and none was up since.
    pub(crate) fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// Reports a failed run after which the task goes on.
    pub(crate) fn failed(&mut self, now: Duration, failed: &Failed<'_>) {
        let Failed { run, error, ran, in_a_row, next_in } = *failed;
        let (_, count) = self.down.get_or_insert((now, 0));
        *count += 1;
        let next = run.saturating_add(1);
        self.ctx.set_status(if next_in.is_zero() {
            format!("run {next} follows; run {run} failed: {error}")
        } else {
            format!("waits {next_in:.1?} for run {next}; run {run} failed: {error}")
        });
        if self.last_logged.is_some_and(|last| now.saturating_sub(last) < PAUSE) {
            self.unlogged += 1;
            return;
        }
        self.last_logged = Some(now);
        self.has_logged = true;
        let unlogged = mem::take(&mut self.unlogged);
        let (took, next_in) = (seconds(ran), seconds(next_in));
        error!(target: "task", run, error, took, in_a_row, next_in, unlogged, "run failed");
    }

    /// Reports a run that is up.
    pub(crate) fn up(&mut self, now: Duration) {
        let Some((since, failed_before)) = self.down.take() else { return };
        if mem::take(&mut self.has_logged) {
            let after = seconds(now.saturating_sub(since));
            info!(target: "task", after, failed_before, "up again");
        }
    }

    /// Reports a run that ended because another one is wanted.
    pub(crate) fn wanted(&self, run: u64, reason: &str) {
        self.ctx.set_status(format!("run {run} ended for a restart: {reason}"));
        info!(target: "task", run, reason, "run ended for a restart");
    }

    /// Reports a run that completed, and is followed by another.
    pub(crate) fn completed(&self, run: u64, next_in: Duration) {
        let next = run.saturating_add(1);
        self.ctx.set_status(format!("waits {next_in:.1?} for run {next}; run {run} completed"));
    }

    /// Takes the status of the wait away, now that a run begins.
    pub(crate) fn again(&self) {
        self.ctx.set_status("");
    }
}
