//! A handle to one task.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use task_core::scope::Stage;
use task_core::{Outcome, TaskId, TaskInfo};

use crate::group::{Entry, Event};
use crate::report::NotReadyError;

/// Refers to one task of a group, to stop it alone or to wait for its end.
///
/// [`Manager::run`](crate::Manager::run) and
/// [`Manager::run_ephemeral`](crate::Manager::run_ephemeral) return it. It is cheap to clone.
/// Dropping it changes nothing: unlike a Tokio `JoinHandle` it does not carry the task's result,
/// which belongs to the group. A failure is in the [`Report`](crate::Report).
///
/// A handle keeps the group's record alive, not its tasks, and remains valid after the task has
/// ended.
///
/// # Examples
///
/// ```
/// use task_manager::{Manager, Outcome, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let manager = Manager::new();
/// let tail = manager.run_ephemeral(task_fn("tail", async |ctx| {
///     ctx.cancelled().await;
///     Ok(())
/// }))?;
/// tail.stop(); // this task alone
/// assert_eq!(tail.ended().await, Outcome::Completed);
/// # manager.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TaskHandle(pub(crate) Arc<Entry>);

impl TaskHandle {
    /// Returns the task's name.
    pub fn name(&self) -> Cow<'static, str> {
        self.0.name.clone()
    }

    /// Returns the task's number within its group, which distinguishes tasks of one name. Log
    /// events and the report have it as well.
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// Returns how the task ended; `None` while it is alive and has not been abandoned.
    ///
    /// It never changes once it is `Some`. A task that ends after it was abandoned stays
    /// [`Abandoned`](Outcome::Abandoned).
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Outcome, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let job = manager.run_ephemeral(task_fn("job", async |_| Ok(())))?;
    /// assert_eq!(job.outcome(), None);
    /// manager.wait().await?;
    /// assert_eq!(job.outcome(), Some(Outcome::Completed));
    /// # Ok(())
    /// # }
    /// ```
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome()
    }

    /// Returns the task's state as the group's view shows it: phase, uptime, status, restarts.
    ///
    /// The view drops tasks that have ended; this handle still shows them, as
    /// [`Ended`](task_core::TaskState::Ended), or as [`Abandoned`](task_core::TaskState::Abandoned)
    /// if they were abandoned before. Their times keep counting; the instant of the end is in the
    /// report, if the task is listed there.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Phase, TaskState, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let worker = manager.run(task_fn("worker", async |ctx| {
    ///     ctx.set_status("idle");
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// # tokio::task::yield_now().await;
    /// let info = worker.info();
    /// assert_eq!((info.phase, info.state), (Phase::WORK, TaskState::Running));
    /// assert_eq!(info.status.as_deref(), Some("idle"));
    /// manager.shutdown().await?;
    /// assert_eq!(worker.info().state, TaskState::Ended);
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> TaskInfo {
        let Self(entry) = self;
        let mut info = entry.info(entry.shared.now());
        info.remaining = entry.shared.remaining(entry).filter(|_| entry.outcome().is_none());
        info.children = entry.count_children();
        info
    }

    /// Requests this one task to end, and returns at once.
    ///
    /// Its [`Context::cancelled`](task_core::Context::cancelled) resolves. If it has a
    /// [`stop_timeout`](task_core::Task::stop_timeout) and does not end within that, it is aborted,
    /// and abandoned if that does not succeed within 250 ms: a failure, which stops the group.
    /// Without one, a task that ignores the request runs on until its group is shut down. A second
    /// call does nothing.
    ///
    /// If the task is critical, its end stops the group, as any end of it does (unless [only
    /// failures do](crate::ManagerBuilder::only_failures_stop)). Tasks that come and go are
    /// ephemeral.
    pub fn stop(&self) {
        self.log_first_stop(|entry| entry.shared.stop_one(entry));
    }

    /// Requests this one task to end, and aborts it if it has not ended within `limit`: its future
    /// is dropped at its next await. Returns at once.
    ///
    /// The task is abandoned if the abort does not succeed within 250 ms, as by a call that blocks
    /// its thread or a [`Hold`](task_core::Hold): a failure, which stops the group. Of several
    /// limits, such as that of an earlier call, its [`stop_timeout`](task_core::Task::stop_timeout)
    /// and, in a shutdown, that of its phase, the first that passes counts. Once the task has ended
    /// or is being aborted, this does nothing.
    ///
    /// The abort itself was asked for, and is no failure: the task's [`outcome`](Self::outcome) is
    /// [`Aborted`](Outcome::Aborted), the report stays clean, and the group goes on if the task is
    /// ephemeral. If it is critical, its end stops the group, as after [`stop`](Self::stop). A limit
    /// whose passing is a failure is the task's `stop_timeout`, which counts from the first request
    /// on, unless `limit` passes at the same instant. A panic of the future's drop is a failure in
    /// either case.
    ///
    /// A nested group should be [stopped](Self::stop): an abort drops its tasks as well, which are
    /// failures of theirs, and gives its cleanups 250 ms.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use task_manager::{Manager, Outcome, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let tenant = manager.run_ephemeral(task_fn("tenant", async |_| pending().await))?;
    /// tenant.stop_within(Duration::from_secs(5));
    /// assert_eq!(tenant.ended().await, Outcome::Aborted);
    /// assert!(manager.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_within(&self, limit: Duration) {
        self.log_first_stop(|entry| entry.shared.stop_one_within(entry, limit));
    }

    /// Aborts this one task, and returns at once. The same as to
    /// [stop it within](Self::stop_within) no time.
    ///
    /// A task that was not polled yet is polled once, and sees by then that it is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use task_manager::{Manager, Outcome, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let search = manager.run_ephemeral(task_fn("search", async |_| pending().await))?;
    /// search.abort();
    /// assert_eq!(search.ended().await, Outcome::Aborted);
    /// assert!(manager.shutdown().await?.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(&self) {
        self.stop_within(Duration::ZERO);
    }

    /// Stops the task, and logs the first request.
    fn log_first_stop(&self, stop: impl FnOnce(&Arc<Entry>)) {
        let Self(entry) = self;
        let is_logged = entry.stage.get() < Stage::Cancelled && Event::logs_clean_tasks();
        if is_logged {
            entry.shared.log(Event::StopAsked(entry.subject()));
        }
        stop(entry);
        if is_logged {
            entry.shared.write_log();
        }
    }

    /// Waits until the task is ready: until it has called
    /// [`Context::set_ready`](task_core::Context::set_ready)`(true)`, or has completed where a clean
    /// end is allowed to it (an ephemeral task, or any under [only failures
    /// stop](crate::ManagerBuilder::only_failures_stop)). So a migration that ends counts as much as
    /// a server that has bound its port.
    ///
    /// The task need not [gate](task_core::Task::gating_readiness) the group's readiness. If it is
    /// ready at the first poll, it resolves at once. A task that is ready for a moment only may be
    /// missed. To start a task once others are ready, use [`start_after`](crate::start_after), which
    /// also waits for the stop.
    ///
    /// # Errors
    ///
    /// [`NotReadyError`] if the task has ended in any other way, even if it was ready before. It
    /// has the task's [name](NotReadyError::task) and its [outcome](NotReadyError::outcome). A
    /// shutdown is no error by itself: the wait resolves at the latest when the task ends.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: it can be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, Outcome, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let database = manager.run(task_fn("database", async |ctx| {
    ///     // connect ...
    ///     ctx.set_ready(true);
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// }))?;
    /// database.ready().await?;
    ///
    /// let cache = manager.run_ephemeral(task_fn("cache", async |_| anyhow::bail!("no disk")))?;
    /// let error = cache.ready().await.unwrap_err();
    /// assert_eq!(error.to_string(), "task `cache` failed and is not ready");
    /// assert_eq!(error.outcome(), Some(Outcome::Failed));
    /// # manager.wait().await.unwrap_err();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ready(&self) -> Result<(), NotReadyError> {
        self.0.ready().await
    }

    /// Waits until the task has ended or was abandoned, and returns its outcome.
    ///
    /// When it returns anything but [`Abandoned`](Outcome::Abandoned), the task's future has been
    /// dropped and its last [`Hold`](task_core::Hold) is released. Any number of callers may wait.
    ///
    /// A task that waits for its own end waits until a shutdown aborts it. Without a shutdown, it
    /// waits forever.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: it can be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// A job whose result goes through a channel, and whose failure is seen by its outcome:
    ///
    /// ```
    /// use task_manager::{Manager, Outcome, task_fn};
    /// use tokio::sync::oneshot;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let (sender, receiver) = oneshot::channel();
    /// let job = manager.run_ephemeral(task_fn("sum", async move |_| {
    ///     let _ = sender.send((1..=10).sum::<u32>());
    ///     Ok(())
    /// }))?;
    /// assert_eq!(job.ended().await, Outcome::Completed);
    /// assert_eq!(receiver.await?, 55);
    /// # manager.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ended(&self) -> Outcome {
        self.0.stage.reached(Stage::Ended).await;
        // Set before the stage is, in every case.
        self.0.outcome().unwrap_or(Outcome::Abandoned)
    }
}
