//! What a manager, its handles and its tasks share: the state under its one lock, and what happens to it.
//!
//! Invariant 4: admission and shutdown share this lock. Invariant 9: nothing of the user's runs under it, not even
//! the drop of an error; what is to run is carried out of the critical section and run by `drive.rs`.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicUsize},
    time::Duration,
};

use slab::Slab;
use task_core::{
    Context, Escalation, Hold, Level, Outcome, Phase, Readiness, Stage, Step, Task, TaskId, Totals,
};

use crate::{
    alarm::Alarm,
    builder::Settings,
    cause::CauseKind,
    cleanup::Hook,
    clock::Clock,
    entry::{End, Entry, Identity, Role},
    failure::{Failure, FailureKind, Origin},
    gates::Gates,
    machine::{Kind, Machine, Trigger},
    managed::Managed,
    news::News,
    panics::{Panic, catch, discard, display},
    plan::Tick,
    record::Record,
    refused::{Reason, Refused},
    report::Report,
    span::in_span,
    task_handle::TaskHandle,
};

pub(crate) struct Shared {
    pub(crate) name: Cow<'static, str>,
    pub(crate) settings: Settings,
    pub(crate) clock: OnceLock<Clock>,
    state: Mutex<State>,
    /// Grows with every change that the group's view shows.
    pub(crate) version: Level,
    /// 1 once the report is made.
    pub(crate) ended: Level,
    pub(crate) report: OnceLock<Report>,
    /// How many waits have begun and not returned: whom the hard exit protects.
    pub(crate) waiting: AtomicUsize,
    pub(crate) alarm: Alarm,
    /// The manager whose code made or runs this one: to tell a wait from inside (invariant 6).
    pub(crate) enclosing: Mutex<Weak<Shared>>,
    /// Keeps the outer manager's task from having ended while this group has not.
    pub(crate) outer_hold: Mutex<Option<Hold>>,
}

pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) tasks: Slab<Arc<Entry>>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) cleanup: Option<Arc<Entry>>,
    /// Given up, and shown until the end.
    pub(crate) abandoned: Vec<Arc<Entry>>,
    pub(crate) record: Record,
    pub(crate) gates: Gates,
    pub(crate) totals: Totals,
    pub(crate) stopping: Option<Tick>,
    pub(crate) cleaning_up: Option<Tick>,
    last_id: u64,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let machine = Machine::new(settings.budgets, settings.only_failures_stop, settings.start);
        let state = State {
            machine,
            tasks: Slab::new(),
            hooks: Vec::new(),
            cleanup: None,
            abandoned: Vec::new(),
            record: Record::default(),
            gates: Gates::default(),
            totals: Totals::default(),
            stopping: None,
            cleaning_up: None,
            last_id: 0,
        };
        let enclosing =
            crate::current::get().map(|shared| Arc::downgrade(&shared)).unwrap_or_default();
        let shared = Arc::new(Self {
            name: settings.name.clone(),
            settings,
            clock: OnceLock::new(),
            state: Mutex::new(state),
            version: Level::new(),
            ended: Level::new(),
            report: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            alarm: Alarm::default(),
            enclosing: Mutex::new(enclosing),
            outer_hold: Mutex::new(None),
        });
        // Outside a runtime it is bound at its first use inside one.
        let _ = shared.bind();
        shared
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
        let now = clock.now();
        let mut state = self.lock();
        if !state.machine.admit(phase) {
            let reason = state.refusal();
            drop(state);
            return Err(Refused::new(task, name, reason));
        }
        state.totals.started += 1;
        let (id, key) = (state.next_id(), state.tasks.vacant_key());
        let identity = Identity { id, key, name, phase, role: Role::Task(kind), gates_readiness };
        let entry = Entry::new(Arc::clone(self), identity, now);
        if state.machine.step() >= Step::Draining {
            // Nobody waits yet, so there is nobody to wake.
            entry.stage.advance(Stage::Draining);
        }
        state.tasks.insert(Arc::clone(&entry));
        state.gates.admit(&entry);
        self.drive(state, Vec::new());
        self.version.bump();
        let ctx = Context::new(entry.clone());
        let future = in_span(&entry, async move { task.run(ctx).await });
        News::Started(Arc::clone(&entry)).log(self);
        let join = clock.current_handle().spawn(Managed::new(Arc::clone(&entry), future));
        entry.set_abort_handle(join.abort_handle());
        Ok(TaskHandle::new(entry))
    }

    /// Takes in the end of a task or a cleanup: what invariant 1 funnels everything into.
    pub(crate) fn entry_ended(self: &Arc<Self>, entry: &Arc<Entry>, end: End) {
        let now = self.now();
        let outcome = end.outcome();
        let detail = end.detail();
        let mut state = self.lock();
        if !entry.set_outcome(outcome) {
            // It was given up before: the report already says so, and this end changes nothing.
            state.abandoned.retain(|abandoned| abandoned.id != entry.id);
            drop(state);
            if let End::Failed(error) = end {
                discard(error);
            }
            News::Late { entry: Arc::clone(entry), outcome }.log(self);
            return;
        }
        let removed;
        let mut news = vec![News::Ended { entry: Arc::clone(entry), outcome, detail, now }];
        match entry.role {
            Role::Task(kind) => {
                removed = state.tasks.try_remove(entry.key);
                state.totals.count(outcome);
                state.gates.ended(entry, kind == Kind::Ephemeral, outcome);
                if state.machine.plan().is_some() || !outcome.is_clean() {
                    state.record.task(entry, outcome, now);
                }
                state.record.end(entry, end, now);
                if let Some(trigger) = state.machine.task_ended(entry.phase, kind, outcome) {
                    let is_first = state.machine.trigger(now, trigger, None);
                    let kind = CauseKind::TaskEnded { task: entry.name.to_string(), outcome };
                    // That a stopped task ends is no further trigger.
                    if is_first || trigger == Trigger::Failure {
                        state.record.trigger(kind.clone(), now);
                    }
                    if is_first {
                        news.push(News::Triggered(kind));
                    }
                }
            }
            Role::Cleanup => {
                removed = state.cleanup.take_if(|cleanup| cleanup.id == entry.id);
                let ran = entry.was_polled().then_some(outcome);
                let took = now.saturating_sub(entry.began);
                state.record.cleanup(&entry.name, ran, entry.began, took);
                state.record.end(entry, end, now);
                state.machine.cleanup_ended();
            }
        }
        let evicted = std::mem::take(&mut state.record.evicted);
        self.drive(state, news);
        entry.stage.advance(Stage::Ended);
        self.version.bump();
        drop(removed);
        discard(evicted);
    }

    /// Begins the shutdown, or records what would have.
    pub(crate) fn trigger(
        self: &Arc<Self>,
        kind: CauseKind,
        trigger: Trigger,
        limit: Option<Duration>,
    ) {
        let now = self.now();
        let mut state = self.lock();
        if state.machine.step() == Step::Ended {
            return;
        }
        let is_first = state.machine.trigger(now, trigger, limit);
        state.record.trigger(kind.clone(), now);
        let news = if is_first { vec![News::Triggered(kind)] } else { Vec::new() };
        self.drive(state, news);
        self.version.bump();
    }

    pub(crate) fn escalate(self: &Arc<Self>, level: Escalation, by: &str) {
        let reason = Cow::Borrowed("told to hurry");
        let kind = CauseKind::RequestedBy { task: String::from(by), reason };
        self.trigger(kind, Trigger::Request, None);
        let now = self.now();
        let mut state = self.lock();
        state.machine.escalate(now, level);
        self.drive(state, Vec::new());
    }

    /// Stops one task and nobody else.
    pub(crate) fn stop_one(&self, entry: &Entry) {
        entry.mark_stop_asked(self.now());
        entry.stage.advance(Stage::Cancelled);
        self.version.bump();
    }

    pub(crate) fn failure_survived(self: &Arc<Self>, entry: &Entry, error: anyhow::Error) {
        News::Survived { name: entry.name.clone(), error: display(&error) }.log(self);
        let kind = FailureKind::Survived(Arc::new(error));
        self.record_failure(entry, kind);
    }

    pub(crate) fn panic_beside(self: &Arc<Self>, entry: &Entry, panic: Panic) {
        self.record_failure(entry, FailureKind::Panic(panic));
    }

    fn record_failure(self: &Arc<Self>, entry: &Entry, kind: FailureKind) {
        let at = self.now();
        let name = entry.name.to_string();
        let failure = Failure { origin: entry.role.origin(), name, kind, at };
        let mut state = self.lock();
        state.record.fail(Some(entry.id), failure);
        let evicted = std::mem::take(&mut state.record.evicted);
        drop(state);
        discard(evicted);
        self.version.bump();
    }

    /// Records that the service could not be set up, and stops the group.
    pub(crate) fn setup_failed(self: &Arc<Self>, error: anyhow::Error) {
        let at = self.now();
        let kind = FailureKind::Error(Arc::new(error));
        let mut state = self.lock();
        state
            .record
            .fail(None, Failure { origin: Origin::Setup, name: self.name.to_string(), kind, at });
        let evicted = std::mem::take(&mut state.record.evicted);
        drop(state);
        discard(evicted);
        self.trigger(CauseKind::SetupFailed, Trigger::Failure, None);
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

    pub(crate) fn wait_began(self: &Arc<Self>) {
        self.check_parent();
        let mut state = self.lock();
        let is_first = !state.machine.waited();
        state.machine.wait_began();
        state.update_started();
        self.drive(state, Vec::new());
        if is_first {
            self.version.bump();
        }
    }

    pub(crate) fn readiness_changed(self: &Arc<Self>, entry: &Entry) {
        let mut state = self.lock();
        let listed = state.tasks.get(entry.key).filter(|listed| listed.id == entry.id).cloned();
        if let Some(entry) = listed {
            state.gates.changed(&entry);
        }
        state.update_started();
        drop(state);
        self.version.bump();
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let state = self.lock();
        state.gates.readiness(state.machine.step(), state.machine.waited())
    }

    pub(crate) fn remaining(&self, entry: &Entry) -> Option<Duration> {
        let now = self.now();
        let state = self.lock();
        let deadline = match entry.role {
            Role::Task(_) => state.machine.deadline(entry.phase),
            Role::Cleanup => state.machine.cleanup_deadline(),
        };
        Some(deadline?.saturating_sub(now))
    }
}

impl State {
    pub(crate) fn next_id(&mut self) -> TaskId {
        self.last_id += 1;
        TaskId::new(self.last_id)
    }

    fn refusal(&self) -> Reason {
        if self.machine.step() == Step::Ended { Reason::Ended } else { Reason::Stopping }
    }

    pub(crate) fn update_started(&mut self) {
        let is_running = self.machine.step() == Step::Running && self.machine.waited();
        if is_running && self.gates.is_open() {
            self.gates.has_started = true;
            self.machine.has_started();
        }
    }

    /// Returns the living tasks of a phase.
    pub(crate) fn in_phase(&self, phase: Phase) -> impl Iterator<Item = &Arc<Entry>> {
        self.tasks.iter().map(|(_, entry)| entry).filter(move |entry| entry.phase == phase)
    }

    /// Gives an entry up: it has an outcome from now on, and its later end changes nothing.
    pub(crate) fn give_up(&mut self, entry: &Arc<Entry>, now: Tick) {
        if !entry.set_outcome(Outcome::Abandoned) {
            return;
        }
        entry.mark_abandoned();
        let kind = FailureKind::Abandoned { status: entry.status() };
        let name = entry.name.to_string();
        self.record
            .fail(Some(entry.id), Failure { origin: entry.role.origin(), name, kind, at: now });
        match entry.role {
            Role::Task(kind) => {
                self.tasks.try_remove(entry.key);
                self.totals.count(Outcome::Abandoned);
                self.gates.ended(entry, kind == Kind::Ephemeral, Outcome::Abandoned);
                self.record.task(entry, Outcome::Abandoned, now);
            }
            Role::Cleanup => {
                let took = now.saturating_sub(entry.began);
                self.record.cleanup(&entry.name, Some(Outcome::Abandoned), entry.began, took);
            }
        }
        self.abandoned.push(Arc::clone(entry));
    }
}
