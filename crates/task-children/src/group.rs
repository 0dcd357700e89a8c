//! The children of one `Children`: which are alive, and what stops them.
//!
//! One lock protects the list. Nothing of the user's runs under it, and no method of the task's
//! context is called under it, since that may come back.

use std::{
    borrow::Cow,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{self, Poll, Wake, Waker},
};

use slab::Slab;
use task_core::{
    Cancelled, Context, Hold, Outcome, WaitFor,
    scope::{ChildrenView, Level, Living, Stage, Wakers, discard, guarded_name, guarded_text},
};
use tracing::error;

use crate::{
    member::{Failure, Member, named},
    rt::{AbortHandle, Handle, Places},
    sync::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, Ordering, lock},
};

/// The most children that are named in one failure.
const MAX_NAMED: usize = 8;

/// What a failure of a child means for the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Policy {
    /// It is in the report.
    Record,
    /// It is logged and counted.
    Count,
    /// It fails the task.
    Fail,
}

pub(crate) struct Group {
    /// The context of the task.
    pub(crate) ctx: Context,
    pub(crate) runtime: Handle,
    pub(crate) limit: usize,
    pub(crate) places: Places,
    policy: AtomicU8,
    failures: AtomicU64,
    state: Mutex<State>,
    /// 1 once no further child is taken. Raised under the lock.
    closed: Level,
    /// How many children have not ended, or not freed their place.
    unfinished: AtomicUsize,
    /// Grows whenever the last child has ended.
    emptied: Level,
    /// 1 once a child has failed that fails the task, which its future has to do.
    pub(crate) has_failed: Level,
    /// Whether the manager has taken the failure of a child as that of the task.
    has_failed_task: AtomicBool,
}

struct State {
    living: Slab<Listed>,
    last_number: u64,
    /// The stage of all children, at least.
    stage: Stage,
    /// The `Children` exists.
    is_owned: bool,
    /// What keeps the task from having ended: while there are children, or may be.
    hold: Option<Hold>,
    /// Follows the task's stage. Dropped, it leaves no waker behind.
    watch: Option<Watch>,
    /// The failure that the task's future has to return.
    error: Option<anyhow::Error>,
    /// Children that were dropped though nobody wanted that.
    lost: Living,
}

struct Listed {
    child: Arc<Member>,
    /// `None` until it is spawned.
    abort: Option<AbortHandle>,
}

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Group {
    pub(crate) fn new(ctx: &Context, runtime: Handle, limit: usize) -> Arc<Self> {
        let group = Arc::new(Self {
            ctx: ctx.clone(),
            runtime,
            limit,
            places: Places::new(limit),
            policy: AtomicU8::new(Policy::Record as u8),
            failures: AtomicU64::new(0),
            state: Mutex::new(State {
                living: Slab::new(),
                last_number: 0,
                stage: Stage::Running,
                is_owned: true,
                hold: Some(ctx.hold()),
                watch: None,
                error: None,
                lost: Living::new(),
            }),
            unfinished: AtomicUsize::new(0),
            closed: Level::new(),
            emptied: Level::new(),
            has_failed: Level::new(),
            has_failed_task: AtomicBool::new(false),
        });
        let view: Weak<dyn ChildrenView> = Arc::<Self>::downgrade(&group);
        ctx.add_children(view);
        let watch = watch(ctx.clone(), Waker::from(Arc::new(Follower(Arc::downgrade(&group)))));
        lock(&group.state).watch = Some(watch);
        group
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        self.policy.store(policy as u8, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.state).living.len()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::SeqCst)
    }

    /// Returns whether children are no longer taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.ctx.is_cancelled() || self.closed.get() > 0
    }

    /// Lists a child, for which the caller has taken a place. Refused, the place is free again.
    pub(crate) fn admit(
        self: &Arc<Self>,
        name: Cow<'static, str>,
        returns: bool,
    ) -> Result<Arc<Member>, Cancelled> {
        let is_cancelled = self.ctx.is_cancelled();
        let mut state = lock(&self.state);
        if is_cancelled || self.closed.get() > 0 {
            drop(state);
            self.places.free();
            return Err(Cancelled);
        }
        self.unfinished.fetch_add(1, Ordering::SeqCst);
        state.last_number += 1;
        let (key, number) = (state.living.vacant_key(), state.last_number);
        let child = Arc::new(Member::new(Arc::clone(self), name, key, number, returns));
        state.living.insert(Listed { child: Arc::clone(&child), abort: None });
        let stage = state.stage;
        drop(state);
        // Read after the child is listed: a stop before that does not find it, one after it does.
        child.stage.advance(stage.max(seen_by_children(self.ctx.stage())));
        Ok(child)
    }

    /// Has a child that is spawned aborted by this handle, from now on.
    pub(crate) fn set_abort_handle(&self, child: &Member, abort: AbortHandle) {
        let mut state = lock(&self.state);
        let listed = state.living.get_mut(child.key).filter(|it| it.child.number == child.number);
        // It may have ended already.
        let Some(listed) = listed else { return };
        // Under the lock: a thread that marks it after this line finds the handle.
        let is_aborted = child.is_aborted();
        if !is_aborted {
            listed.abort = Some(abort);
            return;
        }
        listed.abort = Some(abort.clone());
        drop(state);
        abort.abort();
    }

    /// Aborts one child.
    pub(crate) fn abort_one(&self, child: &Member, is_wanted: bool) {
        child.mark_aborted(is_wanted);
        child.stage.advance(Stage::Cancelled);
        let state = lock(&self.state);
        let listed = state.living.get(child.key).filter(|it| it.child.number == child.number);
        let abort = listed.and_then(|listed| listed.abort.clone());
        drop(state);
        if let Some(abort) = abort {
            abort.abort();
        }
        for children in child.children() {
            children.abort(is_wanted);
        }
    }

    /// Aborts all children, and takes no further ones.
    pub(crate) fn abort_all(&self, is_wanted: bool) {
        let state = lock(&self.state);
        let closed = self.closed.raise_quietly(1);
        let living: Vec<_> = state.living.iter().map(|(_, it)| Arc::clone(&it.child)).collect();
        drop(state);
        closed.wake();
        for child in living {
            self.abort_one(&child, is_wanted);
        }
    }

    /// Waits until no further child is taken.
    pub(crate) fn closed(&self) -> WaitFor<'_> {
        self.closed.reached(1)
    }

    /// Asks all children to end, and takes no further ones.
    pub(crate) fn stop_all(&self) {
        self.advance(Stage::Cancelled);
    }

    /// Hands a stage on to all children. No further ones are taken once they are to end.
    fn advance(&self, stage: Stage) {
        let mut wakers = Wakers::default();
        let mut state = lock(&self.state);
        state.stage = state.stage.max(stage);
        if stage >= Stage::Cancelled {
            wakers.append(self.closed.raise_quietly(1));
        }
        for (_, listed) in &state.living {
            wakers.append(listed.child.stage.advance_quietly(stage));
        }
        drop(state);
        wakers.wake();
    }

    /// The owner is gone. The children that are left keep the task from having ended.
    pub(crate) fn disown(&self) {
        let mut state = lock(&self.state);
        state.is_owned = false;
        let closed = self.closed.raise_quietly(1);
        let last = state.take_last();
        drop(state);
        closed.wake();
        self.release(last);
    }

    /// Records a failure of a child, as the policy says.
    pub(crate) fn failed(&self, child: &Member, failure: Failure) {
        self.failures.fetch_add(1, Ordering::SeqCst);
        let policy = self.policy.load(Ordering::SeqCst);
        match failure {
            failure if policy == Policy::Count as u8 => {
                let error = match &failure {
                    Failure::Error(error) => guarded_text(format_args!("{error:#}")),
                    Failure::Panic(panic) => panic.to_string(),
                };
                let (task, child) = (guarded_name(self.ctx.name()), guarded_name(&child.name));
                error!(target: "task", task, child, error, "child failed");
                self.ctx.count_failure();
                discard(failure);
            }
            Failure::Error(error) if policy == Policy::Fail as u8 => {
                self.fail(error.context(guarded_name(&child.name)));
            }
            Failure::Panic(panic) if policy == Policy::Fail as u8 => {
                self.fail(anyhow::Error::new(panic).context(guarded_name(&child.name)));
            }
            Failure::Error(error) => {
                self.ctx.record_failure(error.context(guarded_name(&child.name)));
            }
            Failure::Panic(panic) => self.ctx.record_panic(named(&child.name, panic)),
        }
    }

    /// Fails the task.
    fn fail(&self, error: anyhow::Error) {
        match self.ctx.fail(error) {
            Ok(()) => self.has_failed_task.store(true, Ordering::SeqCst),
            Err(error) => self.keep(error),
        }
        // After that: who is refused for it is not the first failure.
        self.stop_all();
    }

    /// Resolves when a child may be refused: at once, unless a child has failed the task. Then the
    /// group stops, and the task waits for its turn, so that the refusal is no failure of its own.
    pub(crate) async fn refusal(&self) -> Cancelled {
        if self.has_failed_task.load(Ordering::SeqCst) {
            self.ctx.cancelled().await;
        }
        Cancelled
    }

    /// Keeps the first failure for the task's future to return. Further ones are recorded.
    fn keep(&self, error: anyhow::Error) {
        let mut state = lock(&self.state);
        if state.error.is_none() && self.has_failed.get() == 0 {
            state.error = Some(error);
            let wakers = self.has_failed.raise_quietly(1);
            drop(state);
            wakers.wake();
        } else {
            drop(state);
            self.ctx.record_failure(error);
        }
    }

    /// Takes the failure that the task's future has to return.
    pub(crate) fn take_error(&self) -> Option<anyhow::Error> {
        lock(&self.state).error.take()
    }

    /// Takes a child off the list: it has ended. Called once for each (C1).
    pub(crate) fn ended(&self, child: &Member) {
        let mut state = lock(&self.state);
        let listed = state.living.try_remove(child.key);
        if child.outcome() == Some(Outcome::Aborted) && !child.is_abort_wanted() {
            if state.lost.names.len() < MAX_NAMED {
                state.lost.names.push(child.name.to_string());
            } else {
                state.lost.more += 1;
            }
        }
        let last = state.take_last();
        drop(state);
        drop(listed);
        // Before anybody learns of the end, and after the list is shorter: it never exceeds the
        // limit.
        self.places.free();
        let mut wakers = child.stage.advance_quietly(Stage::Ended);
        if self.unfinished.fetch_sub(1, Ordering::SeqCst) == 1 {
            wakers.append(self.emptied.bump_quietly());
        }
        wakers.wake();
        self.release(last);
    }

    /// Waits until there is no child.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.reached(self.emptied.get() + 1);
            // Read after the level: the end of the last child raises it after that.
            if self.unfinished.load(Ordering::SeqCst) == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Records what is left to say, and lets the task end.
    fn release(&self, last: Option<Last>) {
        let Some(Last { hold, watch, error, lost }) = last else { return };
        drop(watch);
        if let Some(error) = error {
            self.ctx.record_failure(error);
        }
        if !lost.names.is_empty() {
            self.ctx.record_failure(anyhow::Error::msg(lost_text(&lost)));
        }
        if let Some(hold) = hold {
            hold.release();
        }
    }
}

/// What goes with the last child, or with the owner if that is later.
struct Last {
    hold: Option<Hold>,
    watch: Option<Watch>,
    error: Option<anyhow::Error>,
    lost: Living,
}

impl State {
    fn take_last(&mut self) -> Option<Last> {
        (!self.is_owned && self.living.is_empty()).then(|| Last {
            hold: self.hold.take(),
            watch: self.watch.take(),
            error: self.error.take(),
            lost: mem::take(&mut self.lost),
        })
    }
}

fn lost_text(lost: &Living) -> String {
    let (names, count) = (lost.names.join(", "), lost.names.len() + lost.more);
    let more = if lost.more > 0 { format!(" and {} more", lost.more) } else { String::new() };
    let children = if count == 1 { "child was" } else { "children were" };
    format!("{count} {children} aborted: {names}{more}")
}

/// The end of the task is not that of its children. Later stages are at least a stop.
fn seen_by_children(stage: Stage) -> Stage {
    match stage {
        Stage::Running => Stage::Running,
        Stage::Draining => Stage::Draining,
        _ => Stage::Cancelled,
    }
}

impl ChildrenView for Group {
    fn count(&self) -> usize {
        self.len()
    }

    fn living(&self, limit: usize) -> Living {
        let mut living = Living::new();
        let state = lock(&self.state);
        let mut oldest: Vec<_> =
            state.living.iter().map(|(key, it)| (it.child.number, key)).collect();
        oldest.sort_unstable();
        let oldest = oldest.iter().filter_map(|(_, key)| state.living.get(*key));
        let oldest: Vec<_> = oldest.map(|listed| Arc::clone(&listed.child)).collect();
        drop(state);
        for child in &oldest {
            if living.names.len() < limit {
                child.describe(limit, &mut living);
            } else {
                living.more += 1;
                child.children().iter().for_each(|inside| living.more += inside.living(0).more);
            }
        }
        // One of them may be the last reference.
        discard(oldest);
        living
    }

    fn abort(&self, was_requested: bool) {
        self.abort_all(was_requested);
    }
}

/// Polls a wait for both stages once, so that the waker is called at each.
fn watch(ctx: Context, waker: Waker) -> Watch {
    let mut watch: Watch = Box::pin(async move {
        let (mut draining, mut cancelled) = (pin!(ctx.draining()), pin!(ctx.cancelled()));
        poll_fn(|cx| match draining.as_mut().poll(cx) {
            Poll::Ready(()) => cancelled.as_mut().poll(cx),
            Poll::Pending => cancelled.as_mut().poll(cx),
        })
        .await;
    });
    let _ = watch.as_mut().poll(&mut task::Context::from_waker(&waker));
    watch
}

/// Hands the task's stage on, on the thread that advances it: so a stop needs no runtime. Weak,
/// since the watch is the group's.
struct Follower(Weak<Group>);

impl Wake for Follower {
    fn wake(self: Arc<Self>) {
        if let Some(group) = self.0.upgrade() {
            group.advance(seen_by_children(group.ctx.stage()));
        }
    }
}
