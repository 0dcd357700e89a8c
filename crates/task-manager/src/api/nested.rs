//! A manager as a task of another, and the parent token.

use std::{borrow::Cow, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use task_core::{Context, Escalation, Task};

use crate::{
    Manager,
    group::current,
    group::nesting::{Order, inner_limit},
    group::shared::Shared,
    group::view,
    threads::clock::Clock,
    threads::panics::discard,
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
        let shared = &self.0.shared;
        let entry = current::entry();
        if let Some(entry) = &entry {
            shared.nest_in(entry);
        }
        shared.keep_outer(ctx.hold());
        let abort = AbortOnDrop(shared);
        // Linked now, so it never becomes part of itself: that would close a circle, and is refused.
        let mut wait = pin!(shared.wait_as(false));
        let mut drain = Some(ctx.draining());
        let mut stop = Some(ctx.cancelled());
        let mut group = view::group(shared);
        let result = loop {
            ctx.set_ready(group.readiness().is_ready());
            let mut changed = pin!(group.changed());
            let turn = poll_fn(|cx| {
                if let Poll::Ready(result) = wait.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                // One that has passed limits nothing any more: then there is the time to join.
                let limit = || ctx.remaining().map(inner_limit).filter(|limit| !limit.is_zero());
                if let Some(draining) = &mut drain
                    && pin!(draining).poll(cx).is_ready()
                {
                    drain = None;
                    if !ctx.is_cancelled() {
                        shared.follow(Order::Drain, limit());
                    }
                }
                if let Some(cancelled) = &mut stop
                    && pin!(cancelled).poll(cx).is_ready()
                {
                    stop = None;
                    shared.follow(Order::Stop, limit());
                }
                changed.as_mut().poll(cx).map(|()| None)
            })
            .await;
            if let Some(result) = turn {
                break result;
            }
        };
        std::mem::forget(abort);
        if let Some(entry) = entry {
            let link = entry.shared.lock().unlink_group(&entry, shared);
            discard(link);
        }
        result?;
        Ok(())
    }
}

/// Makes the inner group hurry if the outer one drops its task.
struct AbortOnDrop<'a>(&'a Arc<Shared>);

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(entry) = current::entry() {
            let link = entry.shared.lock().keep(&entry, self.0);
            discard(link);
        }
        self.0.follow(Order::Hurry(Escalation::Abort), None);
    }
}

impl Shared {
    /// Stops the group if the parent token is cancelled already: admission must see it at once. Once is enough.
    pub(crate) fn check_parent(self: &Arc<Self>) {
        #[cfg(feature = "token")]
        if self.settings.parent.as_ref().is_some_and(|parent| parent.is_cancelled()) {
            use crate::{lifecycle::machine::Trigger, report::cause::CauseKind};
            let state = self.lock();
            if state.machine.step() < task_core::Step::Ended
                && !state.record.has(&CauseKind::Parent)
            {
                self.trigger_under(state, CauseKind::Parent, Trigger::Plain, None);
            }
        }
    }

    /// Watches the parent token until the group has ended.
    pub(crate) fn watch_parent(self: &Arc<Self>, clock: &Clock) {
        #[cfg(not(feature = "token"))]
        let _ = clock;
        #[cfg(feature = "token")]
        if let Some(parent) = self.settings.parent.clone() {
            let shared = Arc::clone(self);
            clock.handle().spawn(async move {
                let mut cancelled = pin!(parent.cancelled());
                let mut ended = shared.ended.reached(1);
                poll_fn(|cx| {
                    if pin!(&mut ended).poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    cancelled.as_mut().poll(cx)
                })
                .await;
                shared.check_parent();
            });
        }
    }
}
