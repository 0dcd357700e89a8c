//! What the manager knows of one task or cleanup. Data alone: it does not know its group.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use task_core::scope::{ChildrenView, Level, Stage, StageCell};
use task_core::{Outcome, Phase, TaskId, TaskInfo, TaskState};

use super::{ActivityCell, Entry, Shared};
use crate::lifecycle::{Kind, Tick};
use crate::report::{Activity, Deadline, DeadlineKind, End, Failure, FailureKind, FailureOrigin};
use crate::rt::JoinHandle;
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::threads::CallerRuntime;

// Its tests spawn on Tokio itself, which shuttle replaces.
#[cfg(all(test, not(task_shuttle)))]
mod tests;

/// The longest status that is kept, in bytes.
const MAX_STATUS: usize = 256;

/// The time of what has not happened.
const NEVER: u64 = u64::MAX;

/// Stands for no outcome yet; otherwise the index in [`Outcome::ALL`].
const NO_OUTCOME: u8 = u8::MAX;

const POLLED: u8 = 1;
const ABORT: u8 = 2;
const ABANDONED: u8 = 4;
const READY: u8 = 8;
/// It has a stop timeout.
const LIMITED: u8 = 16;
/// It has failed, though its future goes on.
const FAILED: u8 = 32;
/// It has, or had, children.
const CHILDREN: u8 = 64;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Task(Kind),
    /// The code that sets the service up, which the manager does not run.
    Setup,
    Cleanup,
}

impl Role {
    pub(crate) fn origin(self) -> FailureOrigin {
        match self {
            Self::Task(_) => FailureOrigin::Task,
            Self::Setup => FailureOrigin::Setup,
            Self::Cleanup => FailureOrigin::Cleanup,
        }
    }

    /// Returns whether the group goes on after its clean end, whatever the group's settings.
    pub(crate) fn is_ephemeral(self) -> bool {
        match self {
            Self::Task(kind) => kind == Kind::Ephemeral,
            Self::Setup => true,
            Self::Cleanup => false,
        }
    }
}

/// In this order in memory: a stop visits every member, and what that costs is the cache lines it
/// touches. What it reads and writes is at the end of `identity` and below.
#[repr(C)]
pub(crate) struct Member {
    pub(crate) began: Tick,
    /// Kept whole: an abort handle beside it would cost the task another reference count.
    join: OnceLock<JoinHandle<()>>,
    details: Mutex<Option<Box<Details>>>,
    identity: Identity,
    /// What the outcome waits for: the future itself, and each hold.
    pending: AtomicU32,
    flags: AtomicU8,
    /// An index in [`Outcome::ALL`], or [`NO_OUTCOME`].
    outcome: AtomicU8,
    /// In what would be padding.
    pub(crate) running: ActivityCell,
    /// In nanoseconds, or [`NEVER`].
    stop_asked: AtomicU64,
    pub(crate) stage: StageCell,
}

/// What most tasks never have, and so take no room for.
#[derive(Default)]
pub(crate) struct Details {
    pub(crate) status: Option<Arc<str>>,
    pub(crate) restarts: u32,
    pub(crate) failures: u32,
    /// When the task works again, while it pauses.
    pub(crate) works_again: Option<Tick>,
    pub(crate) stop_timeout: Option<Duration>,
    /// How long the last request to end within a time gave it, if that is what limits it.
    pub(crate) requested_limit: Option<Duration>,
    /// The deadline at which it was aborted, and when that was.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) aborted: Option<Tick>,
    /// How the future ended, while a hold keeps the task from having ended.
    pub(crate) end: Option<End>,
    /// When the future ended, if a hold was left then.
    pub(crate) future_ended: Option<Tick>,
    /// How the task failed while its future went on. The first time counts.
    failed: Option<Outcome>,
    /// The groups that the task runs. Weak: they are only looked at.
    pub(crate) nested: Vec<Weak<Shared>>,
    /// What it spawned. Weak, as above.
    pub(crate) children: Vec<Weak<dyn ChildrenView>>,
    /// Which of that was alive after the abort, as text.
    pub(crate) living_children: Option<Arc<str>>,
    pub(crate) order: Option<Box<Order>>,
}

/// Who waits for whom: of tasks that wait for others before they start, or that others wait for.
#[derive(Default)]
pub(crate) struct Order {
    /// The tasks whose readiness it waits for before it starts.
    pub(crate) waits_for: Vec<Weak<Entry>>,
    /// Grows each time the task becomes ready.
    pub(crate) made_ready: Arc<Level>,
}

/// What is fixed when a member is admitted.
#[repr(C)]
pub(crate) struct Identity {
    pub(crate) id: TaskId,
    pub(crate) name: Cow<'static, str>,
    /// Its key in the slab of living tasks.
    pub(crate) key: usize,
    pub(crate) phase: Phase,
    pub(crate) role: Role,
    pub(crate) gates_readiness: bool,
    /// Where its future is polled.
    pub(crate) runtime: CallerRuntime,
}

impl Deref for Member {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl Member {
    pub(crate) fn new(identity: Identity, began: Tick) -> Self {
        Self {
            identity,
            began,
            stage: StageCell::new(),
            flags: AtomicU8::new(0),
            pending: AtomicU32::new(1),
            join: OnceLock::new(),
            outcome: AtomicU8::new(NO_OUTCOME),
            running: ActivityCell::default(),
            stop_asked: AtomicU64::new(NEVER),
            details: Mutex::default(),
        }
    }

    fn details(&self) -> MutexGuard<'_, Option<Box<Details>>> {
        lock(&self.details)
    }

    /// Changes what only some tasks have.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut Details) -> R) -> R {
        change(self.details().get_or_insert_default())
    }

    fn set(&self, flag: u8) -> u8 {
        self.flags.fetch_or(flag, Ordering::SeqCst)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::SeqCst) & flag != 0
    }

    /// Records that the future is about to be polled, and returns whether for the first time.
    /// `None` if it was abandoned before: it must not begin then.
    pub(crate) fn mark_polled(&self) -> Option<bool> {
        if self.has(POLLED) {
            return Some(false);
        }
        // One that was abandoned first stays unpolled, as the report says.
        let begin = |flags| (flags & ABANDONED == 0).then_some(flags | POLLED);
        let before = self.flags.fetch_update(Ordering::SeqCst, Ordering::SeqCst, begin).ok()?;
        Some(before & POLLED == 0)
    }

    pub(crate) fn was_polled(&self) -> bool {
        self.has(POLLED)
    }

    /// Returns what keeps the member from having ended, as far as is known. It is `NotReached` only
    /// where the future was to be dropped and is idle.
    pub(crate) fn activity(&self) -> Activity {
        let is_held = || self.pending.load(Ordering::SeqCst) > 1 || self.is_only_held();
        match self.running.get() {
            Some(activity) => activity,
            None if self.role == Role::Setup => Activity::Unknown,
            None if is_held() => Activity::Held,
            None if self.is_abort_asked() => Activity::NotReached,
            None => Activity::Unknown,
        }
    }

    /// Abandons the future, and returns whether it was ever polled. The two are one atomic step, so
    /// that what the report says of it stays true.
    pub(crate) fn mark_abandoned(&self) -> bool {
        self.set(ABANDONED) & POLLED != 0
    }

    pub(crate) fn is_abort_asked(&self) -> bool {
        self.has(ABORT)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.has(READY)
    }

    /// Returns what wakes those that wait for the task to become ready, if any may.
    pub(crate) fn made_ready(&self) -> Option<Arc<Level>> {
        let details = self.details();
        details.as_ref()?.order.as_ref().map(|order| Arc::clone(&order.made_ready))
    }

    /// Changes who waits for whom.
    pub(crate) fn update_order<R>(&self, change: impl FnOnce(&mut Order) -> R) -> R {
        self.update(|details| change(details.order.get_or_insert_default()))
    }

    /// Returns whether the future has ended, while a hold keeps the task from having ended.
    pub(crate) fn is_only_held(&self) -> bool {
        self.details().as_ref().is_some_and(|details| details.future_ended.is_some())
    }

    /// Sets readiness, and returns whether that changed it.
    pub(crate) fn set_ready(&self, ready: bool) -> bool {
        let before =
            if ready { self.set(READY) } else { self.flags.fetch_and(!READY, Ordering::SeqCst) };
        (before & READY != 0) != ready
    }

    /// Has the future dropped at its next await. One that was never polled is polled once first, by
    /// [`Managed`](super::managed::Managed), which then finds the flag: Tokio's own abort would
    /// drop it unpolled.
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

    /// Records when the task was asked to stop. The first time counts.
    pub(crate) fn mark_stop_asked(&self, now: Tick) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(NEVER);
        let _ = self.stop_asked.compare_exchange(NEVER, nanos, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn set_stop_timeout(&self, timeout: Duration) {
        self.update(|details| details.stop_timeout = Some(timeout));
        self.set(LIMITED);
    }

    /// Returns the stop timeout. The flag keeps a stop, which asks every member, off the details.
    pub(crate) fn stop_timeout(&self) -> Option<Duration> {
        self.has(LIMITED).then(|| self.details().as_ref()?.stop_timeout).flatten()
    }

    /// Returns how long the request gave it that limits its end, if one does.
    pub(crate) fn requested_limit(&self) -> Option<Duration> {
        self.details().as_ref()?.requested_limit
    }

    /// Returns whether its abort was asked for, and is no failure: within a time that was given by
    /// the one who asked, or at once.
    pub(crate) fn is_abort_wanted(&self) -> bool {
        let is_wanted = |deadline: &Deadline| deadline.kind == DeadlineKind::Requested;
        self.is_abort_asked() && self.deadline().as_ref().is_some_and(is_wanted)
    }

    pub(crate) fn mark_children(&self) {
        self.set(CHILDREN);
    }

    pub(crate) fn has_children(&self) -> bool {
        self.has(CHILDREN)
    }

    /// Returns what the task spawned, as far as it exists. Each may be the last reference: it must
    /// not be dropped under a lock.
    pub(crate) fn children(&self) -> Vec<Arc<dyn ChildrenView>> {
        if !self.has_children() {
            return Vec::new();
        }
        let details = self.details();
        let children = details.iter().flat_map(|details| &details.children);
        children.filter_map(Weak::upgrade).collect()
    }

    /// Returns which children were alive after the abort, as text.
    pub(crate) fn known_children(&self) -> Option<Arc<str>> {
        self.details().as_ref()?.living_children.clone()
    }

    /// Returns the deadline at which it was aborted.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.details().as_ref()?.deadline.clone()
    }

    /// Returns whether it runs a group.
    pub(crate) fn is_nested(&self) -> bool {
        let details = self.details();
        details.iter().flat_map(|details| &details.nested).any(|group| group.strong_count() > 0)
    }

    /// Records at which deadline the future is about to be dropped. The first one counts.
    pub(crate) fn mark_aborted(&self, deadline: Deadline, now: Tick) {
        self.update(|details| {
            details.aborted.get_or_insert(now);
            details.deadline.get_or_insert(deadline);
        });
    }

    pub(crate) fn stop_asked(&self) -> Option<Tick> {
        let nanos = self.stop_asked.load(Ordering::SeqCst);
        (nanos != NEVER).then(|| Duration::from_nanos(nanos))
    }

    pub(crate) fn failure(&self, kind: FailureKind, at: Tick) -> Failure {
        let (origin, name) = (self.role.origin(), self.name.to_string());
        Failure { origin, name, id: Some(self.id), kind, at }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        Outcome::ALL.get(usize::from(self.outcome.load(Ordering::SeqCst))).copied()
    }

    /// Invariant 1: the first outcome counts. Called under the manager's lock.
    pub(crate) fn set_outcome(&self, outcome: Outcome) -> bool {
        // `ALL` is in the order of the declaration.
        let (order, index) = (Ordering::SeqCst, outcome as u8);
        self.outcome.compare_exchange(NO_OUTCOME, index, order, order).is_ok()
    }

    pub(crate) fn status(&self) -> Option<Arc<str>> {
        self.details().as_ref()?.status.clone()
    }

    /// Returns how often the task was run again, and how many failures it survived.
    pub(crate) fn survived(&self) -> (u32, u32) {
        self.details().as_ref().map_or((0, 0), |details| (details.restarts, details.failures))
    }

    pub(crate) fn set_status(&self, status: &str) {
        let mut ends = (0..=status.len().min(MAX_STATUS)).rev();
        let fits = ends.find(|end| status.is_char_boundary(*end)).unwrap_or(0);
        let status = Some(&status[..fits]).filter(|status| !status.is_empty());
        let status = status.map(Arc::from);
        self.update(|details| details.status = status);
    }

    /// Records that the task has failed though its future goes on, and returns whether for the
    /// first time. Called under the manager's lock.
    pub(crate) fn mark_failed(&self, outcome: Outcome) -> bool {
        self.update(|details| *details.failed.get_or_insert(outcome));
        self.set(FAILED) & FAILED == 0
    }

    /// Returns how the task failed while its future went on.
    pub(crate) fn failed(&self) -> Option<Outcome> {
        // A flag, since every end asks.
        if self.has(FAILED) { self.details().as_ref()?.failed } else { None }
    }

    pub(crate) fn add_pending(&self) {
        self.pending.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes the future off if nothing else is pending, and returns whether it did. With no hold,
    /// as nearly always, its end need not be kept for the last holder.
    pub(crate) fn take_if_last(&self) -> bool {
        self.pending.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Takes off the future or a hold, and returns the end if it was the last. A hold that was
    /// taken after the end finds none.
    pub(crate) fn remove_pending(&self) -> Option<End> {
        if self.pending.fetch_sub(1, Ordering::SeqCst) != 1 {
            return None;
        }
        self.details().as_mut()?.end.take()
    }

    /// Returns the groups that the task runs, as far as they exist. Each may be the last reference:
    /// it must not be dropped under a lock.
    pub(crate) fn nested(&self) -> Vec<Arc<Shared>> {
        let details = self.details();
        let nested = details.iter().flat_map(|details| &details.nested);
        nested.filter_map(Weak::upgrade).collect()
    }

    /// Returns the tasks whose readiness this one waits for before it starts. As
    /// [`nested`](Self::nested).
    pub(crate) fn waits_for(&self) -> Vec<Arc<Entry>> {
        let details = self.details();
        let orders = details.iter().flat_map(|details| &details.order);
        let waits_for = orders.flat_map(|order| &order.waits_for);
        waits_for.filter_map(Weak::upgrade).collect()
    }

    fn state(&self) -> TaskState {
        if self.has(ABANDONED) {
            TaskState::Abandoned
        } else if self.outcome().is_some() {
            TaskState::Ended
        } else if self.is_abort_asked() {
            TaskState::Aborting
        } else if self.stage.get() >= Stage::Cancelled {
            TaskState::Stopping
        } else {
            TaskState::Running
        }
    }

    pub(crate) fn info(&self, now: Tick) -> TaskInfo {
        let mut info = TaskInfo::new(self.id, self.name.clone());
        info.phase = self.phase;
        info.is_ephemeral = self.role.is_ephemeral();
        info.state = self.state();
        info.uptime = now.saturating_sub(self.began);
        info.gates_readiness = self.gates_readiness;
        info.is_ready = self.is_ready();
        let mut since = self.stop_asked();
        if let Some(details) = &*self.details() {
            since = since.into_iter().chain(details.future_ended).min();
            info.status = details.status.clone();
            info.restarts = details.restarts;
            info.failures = details.failures;
            let works_again = details.works_again.filter(|_| info.state == TaskState::Running);
            info.waiting = works_again.map(|at| at.saturating_sub(now));
        }
        info.in_state = now.saturating_sub(since.unwrap_or(self.began));
        info
    }
}
