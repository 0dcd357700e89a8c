//! The direct line from a group to the groups inside it.
//!
//! A nested group runs as a task and hears of the outer shutdown when that task is polled: with every worker blocked,
//! never. So the outer group tells it directly too, and learns from it who is alive when it has to go on without it.
//! Nothing here needs the runtime, and one level is done after the other, so that the depth costs no stack.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use task_core::{Escalation, Hold, TaskId};

use crate::{
    group::entry::Entry,
    group::log::News,
    group::shared::Shared,
    group::state::State,
    group::troubles::Troubles,
    lifecycle::machine::Trigger,
    lifecycle::plan::Tick,
    report::cause::CauseKind,
    sync::{MutexGuard, Ordering, thread_local},
    threads::panics::catch,
};

#[cfg(test)]
mod tests;

/// How many levels are gone down or up in one another before the rest has to queue.
const DEEPEST: u32 = 8;

/// How many groups that are over and were dropped before that are kept, for each task that did so.
const MOST_KEPT: usize = 16;

/// A group inside another, and the task of the outer one that it is.
pub(crate) struct Link {
    pub(crate) entry: Arc<Entry>,
    pub(crate) inner: Weak<Shared>,
    /// Set when the task is dropped and the inner group's owner with it: what went wrong in there is yet to be told.
    kept: Option<Arc<Shared>>,
}

impl Link {
    /// Tells whether it is of this very group: a task may run several.
    fn is(&self, entry: &Entry, inner: &Arc<Shared>) -> bool {
        self.entry.id == entry.id && Weak::as_ptr(&self.inner) == Arc::as_ptr(inner)
    }
}

/// What the group around tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Drain,
    Stop,
    Hurry(Escalation),
}

/// What is to be done one level further down, or up.
pub(crate) enum Step {
    Tell(Arc<Shared>, Order, Option<Duration>),
    /// The inner group has ended, and with it perhaps its task.
    Release(Hold),
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static QUEUE: RefCell<VecDeque<Step>> = const { RefCell::new(VecDeque::new()) };
    /// What the groups that were gone through have to tell, when this thread has come back from them all.
    static PUT_OFF: RefCell<Vec<(Arc<Shared>, News)>> = const { RefCell::new(Vec::new()) };
    /// Whether there is any: cheaper to ask.
    static HAS_PUT_OFF: Cell<bool> = const { Cell::new(false) };
}

impl Step {
    /// Does it now, or if this thread is deep inside of other steps, when it has come back from them.
    pub(crate) fn take(self) {
        let depth = DEPTH.try_with(Cell::get).unwrap_or(0);
        if depth == DEEPEST {
            QUEUE.with(|queue| queue.borrow_mut().push_back(self));
            return;
        }
        let mut next = Some(self);
        while let Some(step) = next {
            let _ = DEPTH.try_with(|current| current.set(depth + 1));
            let _ = catch(|| step.execute());
            let _ = DEPTH.try_with(|current| current.set(depth));
            next = (depth == 0).then(Self::next).flatten();
        }
    }

    /// Returns what had to queue. While the thread is being torn down nothing does.
    fn next() -> Option<Self> {
        QUEUE.try_with(|queue| queue.borrow_mut().pop_front()).ok().flatten()
    }

    fn execute(self) {
        match self {
            Self::Tell(inner, order, limit) => inner.follow(order, limit),
            Self::Release(hold) => drop(hold),
        }
    }
}

/// Tells whether this thread has put news off.
pub(crate) fn has_put_off() -> bool {
    HAS_PUT_OFF.try_with(Cell::get).unwrap_or(false)
}

/// Puts news off while this thread takes a step: the log of the group that it goes to must not hold the group that sent
/// it. Otherwise returns them, behind all that were put off before.
pub(crate) fn put_off(news: Vec<(Arc<Shared>, News)>) -> Vec<(Arc<Shared>, News)> {
    let is_outermost = DEPTH.try_with(Cell::get).unwrap_or(0) == 0;
    let _ = HAS_PUT_OFF.try_with(|has| has.set(!is_outermost));
    if is_outermost {
        let mut all = PUT_OFF.try_with(RefCell::take).unwrap_or_default();
        all.extend(news);
        return all;
    }
    let mut news = Some(news);
    let _ =
        PUT_OFF.try_with(|put_off| put_off.borrow_mut().extend(news.take().into_iter().flatten()));
    news.unwrap_or_default()
}

impl Shared {
    /// Does what the group around this one says, which it may say twice: directly, and when the task is polled.
    pub(crate) fn follow(self: &Arc<Self>, order: Order, limit: Option<Duration>) {
        let trigger = match order {
            Order::Drain => Trigger::OuterDrain,
            Order::Stop | Order::Hurry(_) => Trigger::OuterStop,
        };
        let is_first = !self.is_told.swap(true, Ordering::SeqCst);
        let state = self.lock();
        let kind = (is_first || state.machine.plan().is_none()).then_some(CauseKind::Parent);
        match order {
            Order::Hurry(level) => self.escalate_under(state, kind, trigger, limit, level),
            Order::Drain | Order::Stop => self.follow_under(state, kind, trigger, limit),
        }
    }

    /// Begins the shutdown, or keeps one that has begun within what the group around it has left.
    fn follow_under<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        kind: Option<CauseKind>,
        trigger: Trigger,
        limit: Option<Duration>,
    ) {
        if state.machine.step() == task_core::Step::Ended {
            return;
        }
        if let Some(kind) = kind {
            self.trigger_under(state, kind, trigger, limit);
        } else {
            let now = self.now();
            state.machine.trigger(now, trigger, limit);
            self.drive(state, now, Vec::new());
        }
    }
}

impl State {
    /// Notes that an entry is a group.
    pub(crate) fn link(&mut self, entry: &Arc<Entry>, inner: &Arc<Shared>) {
        let inner = Arc::downgrade(inner);
        self.links.push(Link { entry: Arc::clone(entry), inner, kept: None });
    }

    /// Keeps a group of an entry that was dropped, since the entry may be about to end by an abort, until that end has
    /// been told. What that leaves no room for, a group that is over, is to be dropped outside the lock (invariant 9).
    pub(crate) fn keep(&mut self, entry: &Entry, inner: &Arc<Shared>) -> Option<Link> {
        let is_old = |link: &Link| {
            let has_ended = link.kept.as_ref().is_some_and(|kept| kept.report.get().is_some());
            link.entry.id == entry.id && has_ended
        };
        let has_room = self.links.iter().filter(|link| is_old(link)).count() < MOST_KEPT;
        let oldest = if has_room { None } else { self.links.iter().position(is_old) };
        let removed = oldest.map(|index| self.links.remove(index));
        if let Some(link) = self.links.iter_mut().find(|link| link.is(entry, inner)) {
            link.kept = Some(Arc::clone(inner));
        }
        removed
    }

    /// Forgets a group of an entry that has ended, and told the entry's own code how.
    pub(crate) fn unlink_group(&mut self, entry: &Entry, inner: &Arc<Shared>) -> Option<Link> {
        let index = self.links.iter().position(|link| link.is(entry, inner))?;
        Some(self.links.remove(index))
    }

    /// Forgets the link of an entry that has ended.
    pub(crate) fn unlink(&mut self, id: TaskId) -> Vec<Link> {
        if self.links.is_empty() {
            return Vec::new();
        }
        self.links.extract_if(.., |link| link.entry.id == id).collect()
    }

    /// Returns what the groups of those entries are to be told.
    pub(crate) fn orders(
        &self,
        order: Order,
        now: Tick,
        matches: impl Fn(&Entry) -> bool,
    ) -> Vec<Step> {
        let links = self.links.iter().filter(|link| matches(&link.entry));
        let steps = links.filter_map(|link| {
            let limit = self.machine.deadline(link.entry.phase);
            let limit = limit.map(|deadline| inner_limit(deadline.saturating_sub(now)));
            // One that has passed limits nothing any more: then there is the time to join.
            let limit = limit.filter(|limit| !limit.is_zero());
            Some(Step::Tell(link.inner.upgrade()?, order, limit))
        });
        steps.collect()
    }

    /// Returns the groups that an entry is or was, as far as they still exist.
    pub(crate) fn groups_of(&self, entry: &Entry) -> impl Iterator<Item = Arc<Shared>> {
        let links = self.links.iter().filter(|link| link.entry.id == entry.id);
        links.filter_map(|link| link.inner.upgrade())
    }

    /// Puts into the record what went wrong in the group that an entry is, and who is alive in it: for an entry that
    /// cannot say so itself.
    pub(crate) fn record_inner(&mut self, entry: &Entry, now: Tick) {
        if self.record.inner_told.contains_key(&entry.id) {
            return;
        }
        let groups: Vec<_> = self.groups_of(entry).collect();
        for inner in groups {
            let troubles = Troubles::of(inner, &entry.name, now);
            // Of the last one: the others are over, or nobody is left who would tell how they end.
            self.record.inner_told.insert(entry.id, troubles.known);
            self.record.fail_inner(entry, troubles.failures, troubles.omitted);
            self.spent.extend(troubles.groups);
        }
    }
}

/// Keeps a little of the outer deadline, so that the inner group's own end comes before the outer abort.
pub(crate) fn inner_limit(remaining: Duration) -> Duration {
    remaining - Duration::from_millis(50).min(remaining / 256)
}
