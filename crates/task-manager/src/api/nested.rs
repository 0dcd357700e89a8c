//! A manager as a task of another, and the parent token.

use std::{borrow::Cow, future::poll_fn, pin::pin, task::Poll, time::Duration};

use task_core::{Context, Task};

use crate::{
    Manager,
    group::{nesting::Nesting, view},
    lifecycle::machine::Trigger,
};

/// A manager as a task of another: what [`Manager::into_task`] returns.
///
/// `Manager` itself is no `Task`: the trait's `run(self)` would hide the manager's own `run(&self)` wherever the trait
/// is in scope.
#[derive(Debug)]
#[must_use = "a task does nothing until a manager runs it"]
pub struct Nested(Manager);

impl Manager {
    /// Makes a task of this manager, to run under another: a group within a group.
    ///
    /// The outer group's drain or stop is this one's trigger, and this one drains for as long as the outer one does; its
    /// own drain delay is for its own triggers. Until the outer group stops the task nothing of it is due, however long
    /// the drain and the phases before it take; from then on its budget is the smaller of its own and the time that the
    /// task has left; its readiness is the task's, for which `gating_readiness()` makes the outer group wait. Its failures
    /// enter the outer report once each, with the path `ingest/consumer`: this manager's name, then its task's. If the outer group is told to hurry, so is this
    /// one once it is stopped; if it aborts the task, too, and the task has ended when the group has. The task's name is
    /// the manager's.
    ///
    /// From the task's first poll on, the outer group reaches this one without the runtime: with every worker blocked
    /// it is stopped, aborted and given up in time all the same, and the outer report names who is stuck in it.
    /// Before that poll, the outer group does not know of it, and names the task alone.
    ///
    /// Up to a quarter of the time that the outer group leaves is kept for this one's cleanups, so deep down what is left
    /// halves about every other level: with 25 s, groups within groups within groups have time to end, a hundred levels have not.
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
        let mut group = view::group(inner);
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
                        inner.follow(Trigger::OuterDrain, limit(&ctx), None);
                    }
                }
                if stop.as_mut().is_some_and(|stop| pin!(stop).poll(cx).is_ready()) {
                    stop = None;
                    inner.follow(Trigger::OuterStop, limit(&ctx), None);
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

/// Returns the time that the outer group leaves. A little of it is kept, so that the nested group's
/// own end comes before the outer abort. A limit that has passed limits nothing any more: what is
/// left then is the time in which aborted tasks are dropped.
fn limit(ctx: &Context) -> Option<Duration> {
    let remaining = ctx.remaining()?;
    let limit = remaining - Duration::from_millis(50).min(remaining / 256);
    (!limit.is_zero()).then_some(limit)
}
