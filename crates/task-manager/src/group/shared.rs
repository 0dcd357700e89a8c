//! What a manager, its handles and its tasks share.
//!
//! Invariant 4: admission and shutdown share the one lock. Invariant 9: nothing of the user's runs
//! under it, not even the drop of an error. An event takes the lock as a
//! [`Turn`](super::turn::Turn), which carries what is to happen out of the critical section.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use task_core::Readiness;
use task_core::scope::Level;

use super::{Entry, OuterLink, Role, Settings, State, current};
use crate::lifecycle::Machine;
use crate::report::Report;
use crate::sync::{AtomicBool, AtomicU32, Mutex, MutexGuard, lock};
use crate::threads::Alarm;

pub(crate) struct Shared {
    pub(crate) name: Cow<'static, str>,
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Grows with every change that the group's view shows.
    pub(crate) version: Level,
    /// 1 once the report is made.
    pub(crate) ended: Level,
    /// 1 once what follows the report is done; see [`closing`](super::closing).
    pub(crate) closed: Level,
    /// How many waits there are now.
    pub(crate) waiting: AtomicU32,
    /// 1 once the last log line is written, or waited for in vain.
    pub(crate) logged: Level,
    pub(crate) report: OnceLock<Report>,
    pub(crate) alarm: Arc<Alarm>,
    /// The manager whose code made or runs this one: to recognise a wait from inside (invariant 6).
    pub(crate) enclosing: Mutex<Weak<Shared>>,
    /// How many levels of groups are, or were, nested in this one.
    pub(crate) height: AtomicU32,
    /// The outer task that this group is, while both are alive.
    pub(crate) outer: Mutex<Option<OuterLink>>,
    /// Whether a task that has children may be aborted and not yet abandoned.
    pub(crate) has_aborted_children: AtomicBool,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let machine = Machine::new(settings.budgets(), settings.only_failures_stop, settings.start);
        let enclosing = current::group().map(|group| Arc::downgrade(&group)).unwrap_or_default();
        let shared = Arc::new(Self {
            name: settings.name.clone(),
            settings,
            state: Mutex::new(State::new(machine)),
            version: Level::new(),
            ended: Level::new(),
            closed: Level::new(),
            waiting: AtomicU32::new(0),
            logged: Level::new(),
            report: OnceLock::new(),
            alarm: Arc::default(),
            enclosing: Mutex::new(enclosing),
            height: AtomicU32::new(0),
            outer: Mutex::new(None),
            has_aborted_children: AtomicBool::new(false),
        });
        // Outside a runtime it is bound at its first use inside one.
        let _ = shared.bind();
        #[cfg(feature = "token")]
        shared.watch_parent();
        shared
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Notifies the watchers of the group's view that something in it has changed.
    pub(crate) fn changed(&self) {
        self.version.bump();
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let state = self.lock();
        state.gates.readiness(state.machine.step(), state.machine.waited())
    }

    /// Returns how long a task or a cleanup has left until it is aborted.
    pub(crate) fn remaining(&self, entry: &Entry) -> Option<Duration> {
        let now = self.now();
        let machine = &self.lock().machine;
        let deadline = match entry.role {
            Role::Task(_) | Role::Setup => machine.deadline_of(entry.key, entry.phase),
            Role::Cleanup => machine.cleanup_deadline(),
        };
        Some(deadline?.saturating_sub(now))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.name).finish_non_exhaustive()
    }
}
