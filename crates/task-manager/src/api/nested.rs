//! A manager as a task of another.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use task_core::{Context, Task};

use crate::Manager;
use crate::group::{Nesting, group_view};
use crate::lifecycle::Trigger;

/// A manager as a task of another: what [`Manager::into_task`] returns.
///
/// The group of the manager that runs it is the **outer** group, its own the **nested** one. The
/// task's name is the nested manager's name. Setters of [`Task`] apply as to any task:
/// `into_task().in_phase(Phase::INGRESS)`.
///
/// # How the nested group follows the outer one
///
/// It follows through its task's [`Context`], as any task does:
///
/// | the outer group | the nested group |
/// |---|---|
/// | drains | drains as well, for as long as the outer group does; its own drain delay is for its own triggers |
/// | stops the task | stops, phase by phase, within the smaller of its own `shutdown_timeout` and what [`Context::remaining`] returns |
/// | aborts the task, because of its deadline | is escalated: its tasks are aborted, its cleanups have the short time, as far as the outer group waits for it |
/// | is escalated to an abort, and aborts or stops the task | the same, and the outer group waits for it as long as its own [`escalated_cleanup_timeout`](crate::ManagerBuilder::escalated_cleanup_timeout), and the time for aborted tasks to be dropped |
/// | drops the task's future with its runtime | the same |
///
/// Until the task is stopped, nothing of the nested group is due, however long the outer group's
/// drain and the phases before it take. The task ends when the nested group has ended, and not
/// before, also if its future was dropped.
///
/// A shutdown that begins in the nested group is an end of the task: if the task is critical, the
/// outer group stops with it.
///
/// # Readiness
///
/// The nested group's readiness is the task's. With [`gating_readiness`](Task::gating_readiness),
/// the outer group's readiness waits for it.
///
/// # Failures
///
/// Each failure of the nested group enters the outer report once, under the path of its name:
/// `ingest/consumer` is the task `consumer` of the manager `ingest`. The nested group returns them
/// in its error. If the task is abandoned before it returned, the outer report names what is alive
/// inside the nested group at that instant.
///
/// # Limits
///
/// - All of this holds from the task's first poll on, and if the task polls the nested group
///   itself. Before that poll the outer group does not know of the nested one: an abandonment names
///   the task alone, and a future that is dropped unpolled only drops the nested manager.
/// - The nested group hears of the outer one when its task is polled. With every worker of the
///   runtime blocked, the outer group abandons the task on time and its report still names what is
///   alive inside, but the nested group itself hears nothing until the task is polled again.
/// - Of the time that the outer group leaves, up to a quarter is kept for the nested group's
///   cleanups if it has any (three quarters after an escalation), and a little for its own report.
///   The time of the innermost tasks thus shrinks with each level: with the default of 25 s, a few
///   levels have time to end in order.
/// - Nesting deeper than 100 levels is refused: the task fails with an error that names the limit,
///   and its group is stopped.
/// - Code inside the nested group cannot wait for the outer one: `wait` refuses that at its first
///   poll, or as soon as the group is nested ([`is_inside`](crate::ShutdownError::is_inside)).
/// - A task that was asked to stop alone, before the outer shutdown, keeps the time that it had
///   then. The outer group's deadline still ends it, by an abort.
///
/// # Why `Manager` is no `Task`
///
/// The trait's `run(self)` would hide the manager's own `run(&self)` wherever the trait is in
/// scope.
///
/// # Examples
///
/// ```
/// use task_manager::{Manager, Task, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let ingest = Manager::builder().name("ingest").build()?;
/// ingest.run(task_fn("consumer", async |ctx| {
///     ctx.set_ready(true);
///     ctx.cancelled().await;
///     anyhow::bail!("offsets were not committed")
/// }).gating_readiness())?;
/// ingest.cleanup("offsets", async || Ok(()))?; // runs when the nested group has stopped
///
/// let service = Manager::new();
/// service.run(ingest.into_task().gating_readiness())?;
/// service.ready().await?; // `consumer` is ready, hence `ingest` is
/// let error = service.shutdown().await.unwrap_err();
/// assert_eq!(error.to_string(), "task `ingest/consumer` failed");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct Nested(Manager);

impl Manager {
    /// Makes a task of this manager, to run under another: a group within a group.
    ///
    /// It gives a subsystem its own phases, cleanups, budgets and failure policy, while the outer
    /// group sees one task. [`Nested`] describes how the two groups work together. A
    /// [`ManagerHandle`](crate::ManagerHandle) made before remains valid, to run tasks in the
    /// nested group.
    pub fn into_task(self) -> Nested {
        Nested(self)
    }
}

impl Task for Nested {
    fn name(&self) -> Cow<'static, str> {
        self.0.shared.name.clone()
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let inner = &self.0.shared;
        let nesting = Nesting::link(inner, &ctx)?;
        // Linked now, so this task is outside of the group that it waits for.
        let mut wait = pin!(inner.wait_outside());
        let mut drain = Some(ctx.draining());
        let mut stop = Some(ctx.cancelled());
        let mut group = group_view(inner);
        let result = loop {
            ctx.set_ready(group.readiness().is_ready());
            let mut changed = pin!(group.changed());
            let turn = poll_fn(|cx| {
                if let Poll::Ready(result) = wait.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                if drain.as_mut().is_some_and(|drain| pin!(drain).poll(cx).is_ready()) {
                    drain = None;
                    if !ctx.is_cancelled() {
                        nesting.follow(Trigger::OuterDrain, &ctx);
                    }
                }
                if stop.as_mut().is_some_and(|stop| pin!(stop).poll(cx).is_ready()) {
                    stop = None;
                    nesting.follow(Trigger::OuterStop, &ctx);
                }
                changed.as_mut().poll(cx).map(|()| None)
            })
            .await;
            if let Some(result) = turn {
                break result;
            }
        };
        nesting.unlink();
        result?;
        Ok(())
    }
}
