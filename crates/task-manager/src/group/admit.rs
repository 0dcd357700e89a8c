//! Admitting tasks and cleanups, or handing them back (invariant 4).

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::Arc;

use task_core::scope::{Stage, catch};
use task_core::{Context, EventKind, Panic, Phase, Step, Task, Timeout};

use super::{Entry, Event, Hook, Identity, Managed, Role, Shared, UserFuture, in_span};
use crate::lifecycle::Kind;
use crate::report::{Reason, Refused};
use crate::rt::Handle;

/// The properties that a task states.
struct Properties {
    name: Cow<'static, str>,
    phase: Phase,
    gates_readiness: bool,
    stop_timeout: Timeout,
}

impl Shared {
    /// Admits a task and spawns it, or hands it back. What does not depend on the task's type is
    /// apart, and compiled once.
    pub(crate) fn admit<T: Task>(
        self: &Arc<Self>,
        mut task: T,
        kind: Kind,
    ) -> Result<Arc<Entry>, Refused<T>> {
        let properties = catch(|| Properties {
            name: task.name(),
            phase: task.phase(),
            gates_readiness: task.gates_readiness(),
            stop_timeout: task.stop_timeout(),
        });
        match self.enrol(properties, Role::Task(kind)) {
            Ok((entry, handle)) => {
                let ctx = Context::new(entry.clone());
                let future: UserFuture = match catch(|| task.admitted(&ctx)) {
                    Ok(()) => Box::pin(async move { task.run(ctx).await }),
                    // The task ends like any other: by its future, which also drops the task.
                    Err(panic) => Box::pin(async move {
                        let _task = task;
                        resume_unwind(Box::new(panic.message))
                    }),
                };
                Ok(self.launch(entry, &handle, future))
            }
            Err((name, reason)) => Err(Refused::new(task, name, reason)),
        }
    }

    /// Makes the caller a member of the group: the code that sets the service up.
    pub(crate) fn admit_setup(
        self: &Arc<Self>,
        stop_timeout: Timeout,
    ) -> Result<Arc<Entry>, Refused<()>> {
        let properties = Properties {
            name: Cow::Borrowed("setup"),
            phase: Phase::SETUP,
            gates_readiness: false,
            stop_timeout,
        };
        let (entry, _) = self
            .enrol(Ok(properties), Role::Setup)
            .map_err(|(name, reason)| Refused::new((), name, reason))?;
        self.after_admission(&entry);
        Ok(entry)
    }

    /// Makes a task a member of the group. Returns it with the runtime to spawn it on.
    fn enrol(
        self: &Arc<Self>,
        properties: Result<Properties, Panic>,
        role: Role,
    ) -> Result<(Arc<Entry>, Handle), (Cow<'static, str>, Reason)> {
        let Properties { name, phase, gates_readiness, stop_timeout } = properties
            .map_err(|panic| (Cow::Borrowed("a task"), Reason::Panicked(panic.message)))?;
        let clock = match self.bind() {
            Ok(clock) => clock,
            Err(reason) => return Err((name, reason)),
        };
        #[cfg(feature = "token")]
        self.check_parent();
        let (handle, runtime) = clock.current_handle();
        let mut state = self.lock();
        let now = self.now_from(runtime);
        if !state.machine.admit(phase, stop_timeout.limit()) {
            let has_ended = state.machine.step() == Step::Ended;
            return Err((name, if has_ended { Reason::Ended } else { Reason::Stopping }));
        }
        state.totals.started += u64::from(role != Role::Setup);
        let (id, key) = (state.next_id(), state.tasks.vacant_key());
        let identity = Identity { id, key, name, phase, role, gates_readiness, runtime };
        let entry = Entry::new(Arc::clone(self), identity, now);
        if let Some(limit) = stop_timeout.limit() {
            entry.set_stop_timeout(limit);
        }
        if state.machine.step() >= Step::Draining {
            // Nothing waits on a stage that is only now made, so there is no waker.
            entry.stage.advance(Stage::Draining);
        }
        if Event::logs_clean_tasks() {
            state.log(Event::Started(entry.subject()));
            state.lines.end_event();
        }
        if state.journal.is_watched() && role != Role::Setup {
            state.watched(now, EventKind::TaskStarted { name: entry.name.clone(), id });
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
    ) -> Arc<Entry> {
        let future = in_span(&entry, future);
        entry.set_join_handle(handle.spawn(Managed::new(Arc::clone(&entry), future)));
        // Only once the task is spawned: what is carried out then may block.
        self.after_admission(&entry);
        entry
    }

    /// Does what a new member makes due. While the group runs, that is nothing.
    fn after_admission(self: &Arc<Self>, entry: &Entry) {
        if entry.stage.get() >= Stage::Draining {
            self.turn().finish();
        } else {
            self.changed();
        }
        if Event::logs_clean_tasks() {
            self.write_log();
        }
    }

    /// Registers a cleanup, which may run `beside` the one before it, or hands it back. `run` calls
    /// the hook.
    pub(crate) fn add_hook<F, Fut>(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        beside: bool,
        hook: F,
        run: impl FnOnce(F, Context) -> Fut + Send + 'static,
    ) -> Result<(), Refused<F>>
    where
        F: Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let mut state = self.lock();
        if !state.machine.add_cleanup(beside) {
            drop(state);
            return Err(Refused::new(hook, name, Reason::Ended));
        }
        state.hooks.push(Hook { name, run: Box::new(move |ctx| Box::pin(run(hook, ctx))) });
        drop(state);
        self.changed();
        Ok(())
    }
}
