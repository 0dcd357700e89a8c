//! Taking tasks and cleanups in, or handing them back (invariant 4).

use std::{borrow::Cow, sync::Arc};

use task_core::{Context, Phase, Step, Task, scope::Stage};

use crate::{
    api::task_handle::TaskHandle,
    group::cleanup::Hook,
    group::entry::{Entry, Identity, Role},
    group::log::News,
    group::managed::{Managed, UserFuture},
    group::shared::Shared,
    group::span::in_span,
    lifecycle::machine::Kind,
    report::refused::{Reason, Refused},
    rt::Handle,
    threads::panics::{Panic, catch},
};

/// What a task says of itself.
struct Asked {
    name: Cow<'static, str>,
    phase: Phase,
    gates_readiness: bool,
}

impl Shared {
    /// Takes a task in and spawns it, or hands it back. What does not depend on the task's type is apart, and compiled
    /// once.
    pub(crate) fn admit<T: Task>(
        self: &Arc<Self>,
        task: T,
        kind: Kind,
    ) -> Result<TaskHandle, Refused<T>> {
        let asked = catch(|| Asked {
            name: task.name(),
            phase: task.phase(),
            gates_readiness: task.gates_readiness(),
        });
        match self.enrol(asked, kind) {
            Ok((entry, handle)) => {
                let ctx = Context::new(entry.clone());
                Ok(self.launch(entry, &handle, Box::pin(async move { task.run(ctx).await })))
            }
            Err((name, reason)) => Err(Refused::new(task, name, reason)),
        }
    }

    /// Makes a task one of the group's, with the runtime that it is to be spawned on.
    fn enrol(
        self: &Arc<Self>,
        asked: Result<Asked, Panic>,
        kind: Kind,
    ) -> Result<(Arc<Entry>, Handle), (Cow<'static, str>, Reason)> {
        let Asked { name, phase, gates_readiness } =
            asked.map_err(|panic| (Cow::Borrowed("a task"), Reason::Panicked(panic.message)))?;
        let clock = match self.bind() {
            Ok(clock) => clock,
            Err(reason) => return Err((name, reason)),
        };
        self.check_parent();
        let (handle, whereabouts) = clock.current_handle();
        let mut state = self.lock();
        let now = self.now_from(whereabouts);
        if !state.machine.admit(phase) {
            return Err((name, state.refusal()));
        }
        state.totals.started += 1;
        let (id, key, role) = (state.next_id(), state.tasks.vacant_key(), Role::Task(kind));
        let identity = Identity { id, key, name, phase, role, gates_readiness, whereabouts };
        let entry = Entry::new(Arc::clone(self), identity, now);
        if state.machine.step() >= Step::Draining {
            // Nobody waits yet, so there is nobody to wake.
            entry.stage.advance(Stage::Draining);
        }
        state.tasks.insert(Arc::clone(&entry));
        state.gates.admit(&entry);
        Ok((entry, handle))
    }

    fn launch(
        self: &Arc<Self>,
        entry: Arc<Entry>,
        handle: &Handle,
        future: UserFuture,
    ) -> TaskHandle {
        let future = in_span(&entry, future);
        entry.set_join_handle(handle.spawn(Managed::new(Arc::clone(&entry), future)));
        // Not before the task is spawned: what is done for it may block. While the group runs, one more task makes
        // nothing due.
        if entry.stage.get() >= Stage::Draining {
            let state = self.lock();
            let now = self.now();
            self.drive(state, now, Vec::new());
        }
        self.changed();
        if News::tells_clean_tasks() {
            News::Started(Arc::clone(&entry)).log(self);
        }
        TaskHandle::new(entry)
    }

    /// Registers a cleanup, or hands it back.
    pub(crate) fn add_hook<F, Fut>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        hook: F,
    ) -> Result<(), Refused<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let mut state = self.lock();
        if !state.machine.add_cleanup() {
            drop(state);
            return Err(Refused::new(hook, name, Reason::Ended));
        }
        state.hooks.push(Hook::new(name, hook));
        drop(state);
        self.changed();
        Ok(())
    }
}
