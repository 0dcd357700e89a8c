//! A task that runs under a scope that records.

use std::{
    fmt,
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use task_core::{
    Task,
    scope::{Scope as _, Stage},
};
use tokio::task::JoinHandle;

use crate::{
    clock::within,
    driven::{Drive, Driven, Observed},
    ended::Ended,
    scope::TestScope,
    text::indented,
};

/// The longest wait of a test, on Tokio's clock.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 3600);

/// A task that runs without a manager, in a test. It records what the task reports, and judges its
/// end as a manager does.
///
/// The task is spawned on the current Tokio runtime. The test drains, cancels and aborts it, and
/// reads what it reports, by the methods of [`TestScope`]: its readiness, its status, and [every
/// event](TestScope::events) with its time.
///
/// A request of the task to stop its group cancels it, as a group would without a drain. Its view
/// of the group is empty.
///
/// # Time
///
/// On a paused clock ([`paused`](crate::paused), or `#[tokio::test(start_paused = true)]`), a wait
/// takes no real time. Each wait of this type ends after a year, with a panic.
///
/// A paused clock does not wait for threads. So each wait gives them a second of real time before
/// its year begins, and a task that keeps a [`Hold`](task_core::Hold), as a
/// [`blocking_task`](task_core::blocking_task) does, has up to 2 s of real time beyond a deadline,
/// in which the clock stands still. A test that needs more awaits it in [`frozen`](crate::frozen).
///
/// # Dropping
///
/// A run that is dropped aborts its task. If the task had failed or panicked, and no
/// [`ended`](Self::ended) returned that, the drop panics, so that no failure is lost.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Context, Outcome, task_fn};
/// use task_testkit::{TestRun, paused};
/// use tokio::time::sleep;
///
/// paused(async {
///     let hourly = task_fn("hourly", async |ctx: Context| {
///         for run in 1.. {
///             ctx.set_status(format!("run {run}"));
///             ctx.or_cancelled(sleep(Duration::from_secs(3600))).await?;
///         }
///         Ok(())
///     });
///     let run = TestRun::start(hourly);
///     sleep(Duration::from_secs(5000)).await;
///     assert_eq!(run.status().as_deref(), Some("run 2"));
///     run.cancel();
///     run.ended().await.assert_outcome(Outcome::Cancelled).assert_stopped_within(Duration::ZERO);
/// });
/// ```
#[must_use = "a run that is dropped aborts its task"]
pub struct TestRun {
    scope: TestScope,
    driving: JoinHandle<Observed>,
    /// Whether the end was looked at.
    is_observed: AtomicBool,
}

impl TestRun {
    /// Starts a task on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[track_caller]
    pub fn start(task: impl Task) -> Self {
        let scope = TestScope::new(&task.name());
        let driven = Driven::new(task, &scope.0, Drive::default());
        Self { scope, driving: tokio::spawn(driven), is_observed: AtomicBool::new(false) }
    }

    /// Waits until the task has set itself ready.
    ///
    /// # Panics
    ///
    /// If it ends first, or after a year.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ready(&self) {
        self.until("is ready", |run| run.is_ready()).await;
    }

    /// Waits until `holds` returns true. It is asked now, and after each event of the task. `what`
    /// completes "the task ..." in the message of a failure.
    ///
    /// # Panics
    ///
    /// If the task ends first, or after a year.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_core::{Context, task_fn};
    /// use task_testkit::{TestRun, paused};
    /// use tokio::time::sleep;
    ///
    /// paused(async {
    ///     let run = TestRun::start(task_fn("import", async |ctx: Context| {
    ///         sleep(Duration::from_secs(20)).await;
    ///         ctx.set_status("half done");
    ///         ctx.cancelled().await;
    ///         Ok(())
    ///     }));
    ///     run.until("is half done", |run| run.status().as_deref() == Some("half done")).await;
    ///     run.cancel();
    ///     run.ended().await.assert_clean();
    /// });
    /// ```
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let next = self.scope.0.version().get() + 1;
                if holds(self) {
                    return;
                }
                assert!(self.scope.0.ended().is_none(), "{}", self.not(what, "it has ended"));
                self.scope.0.version().reached(next).await;
            }
        };
        if within(LONGEST_WAIT, waiting).await.is_none() {
            panic!("{}", self.not(what, "a year has passed"));
        }
    }

    fn not(&self, what: &str, why: &str) -> String {
        let name = self.name();
        format!("task `{name}` never {what}: {why}{}", indented(self.events()))
    }

    /// Aborts the task: its future is dropped where it waits, after its first poll at the earliest.
    pub fn abort(&self) {
        self.scope.0.abort();
    }

    /// Waits until the task has ended, with its last [`Hold`](task_core::Hold).
    ///
    /// # Panics
    ///
    /// If the task has not ended after a year.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ended(&self) -> Ended {
        let ended = self.scope.0.stage().reached(Stage::Ended);
        if within(LONGEST_WAIT, ended).await.is_none() {
            panic!("{}", self.not("ends", "a year has passed"));
        }
        let Some(ended) = self.scope.0.ended() else {
            unreachable!("the end is recorded before the stage");
        };
        self.is_observed.store(true, Ordering::Release);
        ended
    }
}

impl Deref for TestRun {
    type Target = TestScope;

    fn deref(&self) -> &TestScope {
        &self.scope
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        self.driving.abort();
        let is_observed = *self.is_observed.get_mut() || thread::panicking();
        if let Some(ended) = self.scope.0.ended().filter(|_| !is_observed) {
            let name = self.name();
            let failed =
                ended.error().map(|_| format!("task `{name}` ended, and nothing asked how"));
            if let Some(failed) = failed {
                panic!("{failed}: {}{}", ended.outcome(), indented(self.events()));
            }
        }
    }
}

impl fmt::Debug for TestRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun").field("scope", &self.scope).finish_non_exhaustive()
    }
}
