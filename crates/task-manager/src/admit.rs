//! Taking tasks and cleanups in, or handing them back (invariant 4).

use std::{borrow::Cow, sync::Arc};

use task_core::{Context, Stage, Step, Task};

use crate::{
    cleanup::Hook,
    entry::{Entry, Identity, Role},
    machine::Kind,
    managed::Managed,
    news::News,
    panics::catch,
    refused::{Reason, Refused},
    shared::Shared,
    span::in_span,
    task_handle::TaskHandle,
};

impl Shared {
    /// Takes a task in and spawns it, or hands it back.
    pub(crate) fn admit<T: Task>(
        self: &Arc<Self>,
        task: T,
        kind: Kind,
    ) -> Result<TaskHandle, Refused<T>> {
        let asked = catch(|| (task.name(), task.phase(), task.gates_readiness()));
        let (name, phase, gates_readiness) = match asked {
            Ok(properties) => properties,
            Err(panic) => {
                return Err(Refused::new(task, "a task", Reason::Panicked(panic.message)));
            }
        };
        let clock = match self.bind() {
            Ok(clock) => clock,
            Err(reason) => return Err(Refused::new(task, name, reason)),
        };
        self.check_parent();
        let mut state = self.lock();
        if !state.machine.admit(phase) {
            let reason = state.refusal();
            drop(state);
            return Err(Refused::new(task, name, reason));
        }
        state.totals.started += 1;
        let (id, key) = (state.next_id(), state.tasks.vacant_key());
        let identity = Identity { id, key, name, phase, role: Role::Task(kind), gates_readiness };
        let now = clock.now();
        let entry = Entry::new(Arc::clone(self), identity, now);
        if state.machine.step() >= Step::Draining {
            // Nobody waits yet, so there is nobody to wake.
            entry.stage.advance(Stage::Draining);
        }
        state.tasks.insert(Arc::clone(&entry));
        state.gates.admit(&entry);
        if state.machine.plan().is_some() {
            self.drive(state, now, Vec::new());
        } else {
            // While the group runs, one more task makes nothing due.
            drop(state);
        }
        let ctx = Context::new(entry.clone());
        let future = in_span(&entry, async move { task.run(ctx).await });
        let join = clock.current_handle().spawn(Managed::new(Arc::clone(&entry), future));
        entry.set_join_handle(join);
        self.changed();
        if News::tells_clean_tasks() {
            News::Started(Arc::clone(&entry)).log(self);
        }
        Ok(TaskHandle::new(entry))
    }

    /// Registers a cleanup, or hands it back.
    pub(crate) fn add_hook<F, Fut>(
        &self,
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
        Ok(())
    }
}
