//! What a manager, its handles and its tasks share: the state under its one lock, and what happens to it.
//!
//! Invariant 4: admission and shutdown share this lock. Invariant 9: nothing of the user's runs under it, not even
//! the drop of an error; what is to run is carried out of the critical section and run by `drive.rs`.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock, PoisonError, Weak},
    time::Duration,
};

use task_core::{Hold, Readiness, scope::Level};

use crate::{
    group::entry::Entry,
    group::settings::Settings,
    group::state::State,
    lifecycle::machine::Machine,
    report::Report,
    sync::{AtomicBool, Mutex, MutexGuard},
    threads::alarm::Alarm,
};

pub(crate) struct Shared {
    pub(crate) name: Cow<'static, str>,
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Grows with every change that the group's view shows.
    pub(crate) version: Level,
    /// 1 once the report is made.
    pub(crate) ended: Level,
    pub(crate) report: OnceLock<Report>,
    pub(crate) alarm: Arc<Alarm>,
    /// The manager whose code made or runs this one: to tell a wait from inside (invariant 6).
    pub(crate) enclosing: Mutex<Weak<Shared>>,
    /// Keeps the outer manager's task from having ended while this group has not.
    pub(crate) outer_hold: Mutex<Option<Hold>>,
    /// Whether the group around this one has said anything.
    pub(crate) is_told: AtomicBool,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let machine = Machine::new(settings.budgets, settings.only_failures_stop, settings.start);
        let enclosing =
            crate::group::current::get().map(|shared| Arc::downgrade(&shared)).unwrap_or_default();
        let shared = Arc::new(Self {
            name: settings.name.clone(),
            settings,
            state: Mutex::new(State::new(machine)),
            version: Level::new(),
            ended: Level::new(),
            report: OnceLock::new(),
            alarm: Arc::default(),
            enclosing: Mutex::new(enclosing),
            outer_hold: Mutex::new(None),
            is_told: AtomicBool::new(false),
        });
        // Outside a runtime it is bound at its first use inside one.
        let _ = shared.bind();
        shared
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let state = self.lock();
        state.gates.readiness(state.machine.step(), state.machine.waited())
    }

    /// Asked for tasks only: a cleanup has no context.
    pub(crate) fn remaining(&self, entry: &Entry) -> Option<Duration> {
        let now = self.now();
        let state = self.lock();
        Some(state.machine.deadline(entry.phase)?.saturating_sub(now))
    }
}
