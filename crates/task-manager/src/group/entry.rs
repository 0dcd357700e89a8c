//! The manager's record of one task: its side of the task's context.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock, PoisonError},
    time::Duration,
};

use task_core::{
    Outcome, Phase, TaskId, TaskInfo, TaskState,
    scope::{Stage, StageCell},
};

use crate::{
    group::shared::Shared,
    lifecycle::machine::Kind,
    lifecycle::plan::Tick,
    report::end::End,
    report::failure::FailureOrigin,
    rt::JoinHandle,
    sync::{AtomicU8, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering},
    threads::clock::Whereabouts,
    threads::panics::{Panic, Place},
};

mod scope;
#[cfg(test)]
mod tests;

/// The time of what has not happened.
const NEVER: u64 = u64::MAX;

/// The place among [`Outcome::ALL`] of what has none yet.
const NO_OUTCOME: u8 = u8::MAX;

const POLLED: u8 = 1;
const ABORT: u8 = 2;
const ABANDONED: u8 = 4;
const READY: u8 = 8;

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Task(Kind),
    Cleanup,
}

impl Role {
    pub(crate) fn origin(self) -> FailureOrigin {
        match self {
            Self::Task(_) => FailureOrigin::Task,
            Self::Cleanup => FailureOrigin::Cleanup,
        }
    }

    pub(crate) fn is_ephemeral(self) -> bool {
        self == Self::Task(Kind::Ephemeral)
    }
}

pub(crate) struct Entry {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: TaskId,
    /// Its place among the living.
    pub(crate) key: usize,
    pub(crate) name: Cow<'static, str>,
    pub(crate) phase: Phase,
    pub(crate) role: Role,
    pub(crate) gates_readiness: bool,
    /// Where its future is polled.
    pub(crate) whereabouts: Whereabouts,
    pub(crate) began: Tick,
    pub(crate) stage: StageCell,
    flags: AtomicU8,
    /// What the outcome waits for: the future itself, and each hold.
    pending: AtomicU32,
    /// Kept whole: an abort handle beside it would cost the task another count of references.
    join: OnceLock<JoinHandle<()>>,
    /// A place among [`Outcome::ALL`], or [`NO_OUTCOME`].
    outcome: AtomicU8,
    /// In nanoseconds, or [`NEVER`].
    stop_asked: AtomicU64,
    details: Mutex<Option<Box<Details>>>,
}

/// What most tasks never have, and hence no room for: a stop goes through the entries of all tasks, and what it costs
/// is their memory.
#[derive(Default)]
struct Details {
    status: Option<Arc<str>>,
    restarts: u32,
    failures: u32,
    end: Option<End>,
    /// When its future ended, if somebody held it then.
    over: Option<Tick>,
    /// Where a thread of the task panicked.
    place: Option<Place>,
}

/// What tells a new entry from others.
pub(crate) struct Identity {
    pub(crate) id: TaskId,
    pub(crate) key: usize,
    pub(crate) name: Cow<'static, str>,
    pub(crate) phase: Phase,
    pub(crate) role: Role,
    pub(crate) gates_readiness: bool,
    pub(crate) whereabouts: Whereabouts,
}

impl Entry {
    pub(crate) fn new(shared: Arc<Shared>, identity: Identity, began: Tick) -> Arc<Self> {
        let Identity { id, key, name, phase, role, gates_readiness, whereabouts } = identity;
        Arc::new(Self {
            shared,
            id,
            key,
            name,
            phase,
            role,
            gates_readiness,
            whereabouts,
            began,
            stage: StageCell::new(),
            flags: AtomicU8::new(0),
            pending: AtomicU32::new(1),
            join: OnceLock::new(),
            outcome: AtomicU8::new(NO_OUTCOME),
            stop_asked: AtomicU64::new(NEVER),
            details: Mutex::default(),
        })
    }

    fn details(&self) -> MutexGuard<'_, Option<Box<Details>>> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, flag: u8) -> u8 {
        self.flags.fetch_or(flag, Ordering::SeqCst)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::SeqCst) & flag != 0
    }

    /// Notes that the future is about to be polled; tells whether for the first time. `None` if it was given up before
    /// it ever was: it must not begin then.
    pub(crate) fn mark_polled(&self) -> Option<bool> {
        if self.has(POLLED) {
            return Some(false);
        }
        let before = self.set(POLLED);
        (before & ABANDONED == 0).then_some(before & POLLED == 0)
    }

    pub(crate) fn was_polled(&self) -> bool {
        self.has(POLLED)
    }

    /// Gives it up; tells whether it was ever polled. The two are one atomic step: what the report says of it holds.
    pub(crate) fn mark_abandoned(&self) -> bool {
        self.set(ABANDONED) & POLLED != 0
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.has(ABANDONED)
    }

    pub(crate) fn is_abort_asked(&self) -> bool {
        self.has(ABORT)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.has(READY)
    }

    /// Has the future dropped at its next await. One that was never polled is polled once first, by
    /// [`Managed`](crate::group::managed::Managed), which then finds the flag.
    pub(crate) fn abort(&self) {
        if self.set(ABORT) & POLLED != 0
            && let Some(join) = self.join.get()
        {
            join.abort();
        }
    }

    pub(crate) fn set_join_handle(&self, join: JoinHandle<()>) {
        let join = self.join.get_or_init(|| join);
        // An abort between the spawn and this line found no handle.
        if self.has(ABORT) && self.has(POLLED) {
            join.abort();
        }
    }

    pub(crate) fn mark_stop_asked(&self, now: Tick) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(NEVER);
        // The first time counts.
        let _ = self.stop_asked.compare_exchange(NEVER, nanos, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn stop_asked(&self) -> Option<Tick> {
        let nanos = self.stop_asked.load(Ordering::SeqCst);
        (nanos != NEVER).then(|| Duration::from_nanos(nanos))
    }

    /// Notes that its future has ended while somebody holds it: that cancels its context, and nobody has asked for it.
    pub(crate) fn mark_over(&self, now: Tick) {
        self.details().get_or_insert_default().over = Some(now);
    }

    pub(crate) fn status(&self) -> Option<Arc<str>> {
        self.details().as_ref()?.status.clone()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        Outcome::ALL.get(usize::from(self.outcome.load(Ordering::SeqCst))).copied()
    }

    /// Invariant 1: the first outcome counts; set under the manager's lock.
    pub(crate) fn set_outcome(&self, outcome: Outcome) -> bool {
        // It is declared in that order.
        let (order, place) = (Ordering::SeqCst, outcome as u8);
        self.outcome.compare_exchange(NO_OUTCOME, place, order, order).is_ok()
    }

    /// Adds to a panic of the future what is known of the thread that it came from.
    pub(crate) fn locate(&self, panic: Panic) -> Panic {
        if panic.location.is_some() {
            return panic;
        }
        let place = self.details().as_mut().and_then(|details| details.place.take());
        place.map_or_else(|| panic.clone(), |place| panic.clone().at(place))
    }

    /// Takes note of how the future ended; the task has ended when no hold is left either. Whoever holds it hears of it,
    /// since the task's context is cancelled then.
    pub(crate) fn future_ended(self: &Arc<Self>, end: End, whereabouts: Whereabouts) {
        // With no hold, as nearly always, the end need not be kept for whoever is last.
        if self.pending.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.shared.entry_ended(self, end, whereabouts);
            return;
        }
        self.shared.future_ended_held(self, end);
    }

    /// Keeps the end for whoever lets go last.
    pub(crate) fn keep_end(self: &Arc<Self>, end: End) {
        self.details().get_or_insert_default().end = Some(end);
        self.release();
    }

    fn release(self: &Arc<Self>) {
        if self.pending.fetch_sub(1, Ordering::SeqCst) == 1 {
            // A hold taken and released after the end comes here again, and finds nothing.
            let end = self.details().as_mut().and_then(|details| details.end.take());
            if let Some(end) = end {
                self.shared.entry_ended(self, end, Whereabouts::Anywhere);
            }
        }
    }

    pub(crate) fn info(&self, now: Tick) -> TaskInfo {
        let state = if self.is_abandoned() {
            TaskState::Abandoned
        } else if self.outcome().is_some() {
            TaskState::Ended
        } else if self.is_abort_asked() {
            TaskState::Aborting
        } else if self.stage.get() >= Stage::Cancelled {
            TaskState::Stopping
        } else {
            TaskState::Running
        };
        let mut info = TaskInfo::new(self.id, self.name.clone());
        info.phase = self.phase;
        info.is_ephemeral = self.role.is_ephemeral();
        info.state = state;
        info.uptime = now.saturating_sub(self.began);
        let over = self.details().as_ref().and_then(|details| details.over);
        let since = self.stop_asked().into_iter().chain(over).min().unwrap_or(self.began);
        info.in_state = now.saturating_sub(since);
        info.gates_readiness = self.gates_readiness;
        info.is_ready = self.is_ready();
        if let Some(details) = &*self.details() {
            info.status = details.status.clone();
            info.restarts = details.restarts;
            info.failures = details.failures;
        }
        info
    }
}
