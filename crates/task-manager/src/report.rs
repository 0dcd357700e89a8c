//! Everything that happened in a shutdown, as a value.
//!
//! This room holds values only: it knows nothing of the group that fills them in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use task_core::{CleanupReport, TaskReport, Totals};

mod activity;
mod cause;
mod deadline;
mod display;
mod end;
mod error;
mod facts;
mod failure;
mod fold;
mod label;
mod length;
mod message;
mod metrics;
mod not_ready;
mod phase;
mod refused;
#[cfg(feature = "serde")]
mod serialize;
mod sort;
mod steps;
mod timeline;

pub use self::{
    activity::Activity,
    cause::{Cause, CauseKind},
    deadline::{Deadline, DeadlineKind},
    error::ShutdownError,
    failure::{Failure, FailureKind, FailureOrigin},
    not_ready::NotReadyError,
    phase::PhaseReport,
    refused::{Refused, RefusedReason},
};
pub(crate) use self::{
    end::End,
    error::ShutdownErrorKind,
    facts::Facts,
    failure::NOT_REACHED,
    fold::{Fold, blocked, fold},
    label::Repeated,
    length::Length,
    message::headline,
    not_ready::NotReady,
    refused::Reason,
    sort::sort_by_key,
};

/// A complete report of a shutdown: its cause, every failure, and how each task and cleanup ended.
///
/// [`Manager::wait`](crate::Manager::wait) returns it, or a [`ShutdownError`](crate::ShutdownError)
/// that holds it. It is immutable and cheap to clone.
///
/// # Format
///
/// `Display` is a text for a terminal or a log. Its first line is a sentence, [`summary`]: what
/// stopped, how long that took of the time it had, and either that all was clean and what the cause
/// was, or how many failures there are and the one that matters most. Then come, indented:
///
/// - what blocked the runtime, if anything waited for it in vain (see [`Activity`]);
/// - `cause:`, after a failure, and `then:`, what asked for the shutdown again;
/// - how long the group was up, and how many tasks and cleanups ended in which way;
/// - `failure:`, the other failures. Errors and panics come first, then what was abandoned, what
///   was aborted, what a task survived, and last what merely had no time or no thread left. Those
///   of which the same is said are one line, with their number and up to three names;
/// - a line for the drain, each phase and the cleanups: the time it took, the time it had, and who
///   ended last (of the cleanups: who took longest), with the outcome if that was not clean;
/// - a bar for each task that was slow (a tenth of the shutdown, and 100 ms) or did not end cleanly
///   after it was asked to, from the request to its end, and for each cleanup, on the scale of the
///   whole shutdown. What looks the same is one line. In parentheses is the last
///   [status](task_core::Context::set_status);
/// - the other tasks, on one line.
///
/// At most 10 lines of each are shown. The first line has at most 200 characters of a failure; a
/// longer one has a line of its own as well. What is folded or left out is counted. With `{:#}`,
/// backtraces follow, where they were captured. Names that several tasks had are followed by the
/// task's id: `job#3`. `Debug` shows every field, and the data of the feature `serde` have
/// everything.
///
/// A clean shutdown:
///
#[doc = concat!("```text\n", include_str!("report/golden/clean.txt"), "```")]
///
/// One task was stuck, in a call that blocks its thread:
///
#[doc = concat!("```text\n", include_str!("report/golden/stuck.txt"), "```")]
///
/// Fifty tasks, most of which lost their broker:
///
#[doc = concat!("```text\n", include_str!("report/golden/many.txt"), "```")]
///
/// [`summary`]: Self::summary
///
/// With the feature `serde`, a report can be serialized.
///
/// # Times
///
/// Instants are lengths of time since the manager was made, on the manager's clock, which a test
/// may have paused. [`began`](Self::began) alone is the wall clock's.
///
/// # Limits
///
/// Lists are bounded, and what they leave out is counted: see [`failures`](Self::failures),
/// [`tasks`](Self::tasks), [`cleanups`](Self::cleanups) and
/// [`later_triggers`](Self::later_triggers). What went wrong after the end of the group is in the
/// log only.
///
/// # Examples
///
/// ```
/// use task_manager::{Manager, Outcome, task_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let manager = Manager::builder().name("orders").build().unwrap();
/// manager.run(task_fn("stuck", async |ctx| {
///     ctx.set_status("flushing 120 messages");
///     std::future::pending().await
/// })).unwrap();
/// # tokio::task::yield_now().await;
/// let error = manager.shutdown().await.unwrap_err();
/// let report = error.report().unwrap();
///
/// assert!(!report.is_clean());
/// assert_eq!(report.cause().to_string(), "stop was called");
/// assert_eq!(report.failures()[0].name, "stuck");
/// let task = &report.tasks()[0];
/// assert_eq!(task.outcome, Outcome::Aborted);
/// assert_eq!(task.status.as_deref(), Some("flushing 120 messages"));
/// let summary = "orders stopped in 24.75 s of 25.00 s, 1 failure: task `stuck` was aborted at its \
///                deadline (phase WORK had 24.75 s)";
/// assert_eq!(report.summary(), summary);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Report(pub(crate) Arc<Contents>);

#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) name: String,
    pub(crate) cause: Cause,
    pub(crate) began: SystemTime,
    pub(crate) later_triggers: Vec<Cause>,
    pub(crate) omitted_triggers: u64,
    /// Those of them that are no failures.
    pub(crate) omitted_requests: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) omitted_failures: u64,
    pub(crate) tasks: Vec<TaskReport>,
    pub(crate) omitted_tasks: u64,
    pub(crate) cleanups: Vec<CleanupReport>,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) omitted_cleanups: u64,
    pub(crate) totals: Totals,
    pub(crate) steps: StepTimes,
    pub(crate) repeated: Repeated,
    pub(crate) is_setup_failed: bool,
}

/// When each step of the shutdown began, as time since the manager was made.
///
/// A step that had nothing to do began and ended at the same instant, so the fields never decrease
/// in the order in which they are declared, the budgets aside. How long a step took is the
/// difference of two fields: the drain took `stopping - triggered`. [`Report::phases`] has the
/// parts of the stop.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StepTimes {
    /// The trigger: the beginning of the shutdown, and of the drain.
    pub triggered: Duration,
    /// The drain was over, and the first phase was stopped.
    pub stopping: Duration,
    /// The tasks had ended or were abandoned, and the first cleanup began.
    pub cleaning_up: Duration,
    /// The cleanups had ended, and the report was made.
    pub ended: Duration,
    /// How long the whole shutdown was allowed to take, from the trigger on; `None` if unlimited.
    pub budget: Option<Duration>,
    /// How long the drain was to take when it began; `None` if it was to last until the outer group
    /// stops this one.
    pub drain_budget: Option<Duration>,
    /// How long all cleanups together might take when the first began; `None` if none began.
    pub cleanup_budget: Option<Duration>,
}

impl Report {
    /// Returns the manager's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns what began the shutdown.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Returns the wall clock's time at which the shutdown began.
    ///
    /// It is for logs, to be compared with events outside of the process. It is read once, and
    /// decides nothing; all other times are on the manager's clock.
    pub fn began(&self) -> SystemTime {
        self.0.began
    }

    /// Returns what would have begun the shutdown, had it not begun already, in order.
    ///
    /// The first 16 are kept; see [`omitted_triggers`](Self::omitted_triggers).
    ///
    /// # Examples
    ///
    /// A task that fails while it is being stopped does not become the cause:
    ///
    /// ```
    /// use task_manager::{CauseKind, Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     anyhow::bail!("the last batch was not flushed")
    /// }))?;
    /// let error = manager.shutdown().await.unwrap_err();
    /// let report = error.report().unwrap();
    /// assert_eq!(report.cause().kind, CauseKind::Stopped);
    /// assert_eq!(report.later_triggers()[0].to_string(), "task `worker` failed");
    /// # Ok(())
    /// # }
    /// ```
    pub fn later_triggers(&self) -> &[Cause] {
        &self.0.later_triggers
    }

    /// Returns how many triggers came after those in [`later_triggers`](Self::later_triggers).
    pub fn omitted_triggers(&self) -> u64 {
        self.0.omitted_triggers
    }

    /// Returns whether nothing went wrong, in the whole life of the group and in its shutdown.
    ///
    /// A task that was aborted at its deadline, or a cleanup that was not run, is a failure as
    /// well.
    pub fn is_clean(&self) -> bool {
        self.0.failures.is_empty()
    }

    /// Returns what went wrong, in the order in which it happened; the first is the root.
    ///
    /// The text has another order: see [its format](Self#format).
    ///
    /// Failures of the manager's whole life are listed, not of its shutdown alone. Kept are the
    /// first failure of each task, up to 64 of them, and the last 64 of all others, so a task that
    /// [records](task_core::Context::record_failure) thousands of failures does not displace those
    /// of other tasks.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// Returns how many failures are not in [`failures`](Self::failures).
    ///
    /// The sum of the two is the number of all failures.
    pub fn omitted_failures(&self) -> u64 {
        self.0.omitted_failures
    }

    /// Returns how tasks ended, in the order in which they did.
    ///
    /// Listed are the tasks that were alive at the trigger, the one whose end was the trigger, and
    /// those that were admitted later; of these, at most the last 4,096. Tasks that ended cleanly
    /// before are only counted, in [`totals`](Self::totals).
    pub fn tasks(&self) -> &[TaskReport] {
        &self.0.tasks
    }

    /// Returns how many tasks were left out of [`tasks`](Self::tasks) for lack of room.
    ///
    /// Tasks that ended before the trigger are not among them.
    pub fn omitted_tasks(&self) -> u64 {
        self.0.omitted_tasks
    }

    /// Returns how cleanups ended, in the order in which they ran; at most the first 4,096.
    pub fn cleanups(&self) -> &[CleanupReport] {
        &self.0.cleanups
    }

    /// Returns how many cleanups are not in [`cleanups`](Self::cleanups).
    ///
    /// If one of them failed, that is among the [`failures`](Self::failures) nevertheless.
    pub fn omitted_cleanups(&self) -> u64 {
        self.0.omitted_cleanups
    }

    /// Returns how the stop of each phase went, in the order in which they were stopped.
    ///
    /// A phase is listed once if it had tasks when its turn came, so there are at most 256.
    pub fn phases(&self) -> &[PhaseReport] {
        &self.0.phases
    }

    /// Returns how many tasks the manager admitted in its whole life, and how they ended.
    pub fn totals(&self) -> Totals {
        self.0.totals
    }

    /// Returns when each step of the shutdown began.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// manager.run(task_fn("worker", async |ctx| {
    ///     ctx.cancelled().await;
    ///     tokio::time::sleep(Duration::from_secs(3)).await;
    ///     Ok(())
    /// }))?;
    /// let steps = manager.shutdown().await?.steps();
    /// assert_eq!((steps.cleaning_up - steps.stopping).as_secs(), 3);
    /// assert_eq!(steps.budget, Some(Duration::from_secs(25)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn steps(&self) -> StepTimes {
        self.0.steps
    }

    /// Returns the exit code for the process: 0 if the report is clean, 3 if a failed setup began
    /// the shutdown, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        if self.is_clean() {
            0
        } else if self.0.is_setup_failed {
            3
        } else {
            1
        }
    }
}
