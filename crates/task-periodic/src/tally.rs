//! Counts of the runs so far, and what is derived from them: the task's status and its log events.

use std::{fmt, time::Duration};

use task_core::{Context, scope::seconds};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::throttle::Throttle;

/// Counts runs, sets the task's status and emits its events.
pub(crate) struct Tally {
    ctx: Context,
    runs: u64,
    failed: u64,
    in_a_row: u32,
    dropped: u64,
    begun: Instant,
    failures: Throttle,
    overdue: Throttle,
    skipped: Throttle,
    /// Whether a failure was logged after the last success: then the next success is logged too.
    has_logged_failure: bool,
}

impl Tally {
    pub(crate) fn new(ctx: Context) -> Self {
        Self {
            ctx,
            runs: 0,
            failed: 0,
            in_a_row: 0,
            dropped: 0,
            begun: Instant::now(),
            failures: Throttle::default(),
            overdue: Throttle::default(),
            skipped: Throttle::default(),
            has_logged_failure: false,
        }
    }

    /// Sets the status of a task that waits for its first run.
    pub(crate) fn wait(&self) {
        self.ctx.set_status("no run yet");
    }

    /// Counts a run that begins, and returns its number, starting at 1.
    pub(crate) fn begin(&mut self) -> u64 {
        self.runs += 1;
        self.begun = Instant::now();
        // Before the run's first poll, so that it never replaces a status of the action.
        self.ctx.set_status(format!("run {} in progress; {} failed", self.runs, self.failed));
        self.runs
    }

    /// Warns of a run that has outlasted its interval.
    pub(crate) fn overdue(&mut self, age: Duration) {
        if let Some(unlogged) = self.overdue.admit() {
            let age = seconds(age);
            warn!(
                target: "task",
                age,
                unlogged,
                "run is still in progress, and its next tick has passed",
            );
        }
    }

    /// Counts a successful run, and the ticks that were dropped during it.
    pub(crate) fn succeeded(&mut self, dropped: u64, next_in: Option<Duration>) {
        self.dropped(dropped);
        let took = self.begun.elapsed();
        let failed_before = std::mem::take(&mut self.in_a_row);
        if failed_before > 0 && std::mem::take(&mut self.has_logged_failure) {
            info!(target: "task", took = seconds(took), failed_before, "run succeeded again");
        } else {
            debug!(target: "task", took = seconds(took), "run succeeded");
        }
        // A run that follows at once would replace it unseen.
        if next_in != Some(Duration::ZERO) {
            self.ctx.set_status(format!("{}; last run succeeded in {took:.1?}", self.counts()));
        }
    }

    /// Counts a failed run, and returns how many runs in a row have failed.
    pub(crate) fn failed(&mut self) -> u32 {
        self.failed += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row
    }

    /// Reports a failed run after which the task continues, and counts the ticks that were dropped
    /// during it.
    pub(crate) fn continuing(&mut self, error: &str, dropped: u64, next_in: Option<Duration>) {
        self.dropped(dropped);
        self.show_failure(error);
        // Without a next run, no later line counts this one.
        let unlogged = match next_in {
            Some(_) => self.failures.admit(),
            None => Some(self.failures.take_suppressed()),
        };
        self.log_failure(error, next_in, unlogged);
    }

    /// Reports a failed run whose thread goes on.
    pub(crate) fn lingering(&mut self, error: &str) {
        self.ctx.set_status(format!("{}; waits for the thread of a run: {error}", self.counts()));
        let unlogged = self.failures.admit();
        self.log_failure(error, None, unlogged);
        if let Some(unlogged) = self.overdue.admit() {
            let took = seconds(self.begun.elapsed());
            warn!(
                target: "task",
                took,
                unlogged,
                "the thread of the run goes on, and the next run waits for it",
            );
        }
    }

    /// Reports that the thread of a failed run has returned.
    pub(crate) fn settled(&mut self, error: &str, dropped: u64) {
        self.dropped(dropped);
        self.show_failure(error);
    }

    fn log_failure(&mut self, error: &str, next_in: Option<Duration>, unlogged: Option<u64>) {
        if let Some(unlogged) = unlogged {
            self.has_logged_failure = true;
            let took = seconds(self.begun.elapsed());
            let next_in = next_in.map(seconds);
            error!(
                target: "task",
                error,
                took,
                in_a_row = self.in_a_row,
                next_in,
                unlogged,
                "run failed",
            );
        }
    }

    /// Reports a failed run that ends the task, whose error the manager logs.
    pub(crate) fn ending(&self, error: &str) {
        self.show_failure(error);
    }

    fn show_failure(&self, error: &str) {
        let in_a_row = self.in_a_row;
        self.ctx.set_status(format!("{}, {in_a_row} in a row; last: {error}", self.counts()));
    }

    fn dropped(&mut self, ticks: u64) {
        if ticks == 0 {
            return;
        }
        self.dropped = self.dropped.saturating_add(ticks);
        if let Some(unlogged) = self.skipped.admit() {
            let took = seconds(self.begun.elapsed());
            warn!(
                target: "task",
                ticks,
                took,
                unlogged,
                "run took longer than its interval, ticks were dropped",
            );
        }
    }

    fn counts(&self) -> Counts {
        Counts { runs: self.runs, failed: self.failed, dropped: self.dropped }
    }
}

/// Displays as "12 runs, 1 failed, 3 ticks dropped".
struct Counts {
    runs: u64,
    failed: u64,
    dropped: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, failed, dropped } = self;
        write!(f, "{runs} {}, {failed} failed", if *runs == 1 { "run" } else { "runs" })?;
        match dropped {
            0 => Ok(()),
            1 => f.write_str(", 1 tick dropped"),
            _ => write!(f, ", {dropped} ticks dropped"),
        }
    }
}
