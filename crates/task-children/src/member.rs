//! One child: what its context and its handles point to.
//!
//! Invariant C1: a child is listed in its group from before its closure is called until its future
//! is dropped and its last hold released. So it is named, stopped and aborted for as long as it
//! lives, and ends once.

use std::{
    borrow::Cow,
    mem,
    sync::{Arc, Weak},
    time::Duration,
};

use task_core::{
    Cancelled, Context, Outcome, Panic,
    scope::{ChildrenView, Living, Scope, Stage, StageCell, discard, guarded_name},
};

use crate::{
    group::Group,
    sync::{AtomicU8, AtomicUsize, Mutex, Ordering, lock},
};

/// The longest status that is kept, in bytes: that of a task.
const MAX_STATUS: usize = 256;

/// Its future is being dropped, or will be.
const ABORTED: u8 = 1;
/// And that was wanted: not by a deadline.
const WANTED: u8 = 2;
/// It has ended, and is not listed any more.
const ENDED: u8 = 4;
/// It has a future with a value, whose panic is that of the value.
const RETURNS: u8 = 8;

/// How the future of a child ended.
pub(crate) enum End {
    Completed,
    Cancelled,
    Failed(anyhow::Error),
    Panicked(Panic),
    Aborted,
}

impl End {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Completed => Outcome::Completed,
            Self::Cancelled => Outcome::Cancelled,
            Self::Failed(_) => Outcome::Failed,
            Self::Panicked(_) => Outcome::Panicked,
            Self::Aborted => Outcome::Aborted,
        }
    }
}

pub(crate) struct Member {
    pub(crate) group: Arc<Group>,
    pub(crate) name: Cow<'static, str>,
    /// Its place in the group's list, and its number there: a place is used again.
    pub(crate) key: usize,
    pub(crate) number: u64,
    pub(crate) stage: StageCell,
    /// The future itself, and each hold.
    pending: AtomicUsize,
    flags: AtomicU8,
    details: Mutex<Details>,
}

#[derive(Default)]
struct Details {
    status: Option<Arc<str>>,
    outcome: Option<Outcome>,
    /// The first panic of a thread of the child.
    beside: Option<Panic>,
    /// The panic that stands for the value, until that is taken.
    panic: Option<Panic>,
    /// Nobody will take the value.
    is_detached: bool,
    /// The children of the child.
    children: Vec<Weak<dyn ChildrenView>>,
}

impl Member {
    pub(crate) fn new(
        group: Arc<Group>,
        name: Cow<'static, str>,
        key: usize,
        number: u64,
        returns: bool,
    ) -> Self {
        Self {
            group,
            name,
            key,
            number,
            stage: StageCell::new(),
            pending: AtomicUsize::new(1),
            flags: AtomicU8::new(if returns { RETURNS } else { 0 }),
            details: Mutex::default(),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::SeqCst) & flag != 0
    }

    /// Runs the user's code as a part of the task. The caller catches its panics.
    pub(crate) fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        self.group.ctx.enter(body)
    }

    /// Marks the child aborted, and returns whether it was not before. The first reason counts.
    pub(crate) fn mark_aborted(&self, is_wanted: bool) -> bool {
        let mark = if is_wanted { ABORTED | WANTED } else { ABORTED };
        let change = |flags| (flags & ABORTED == 0).then_some(flags | mark);
        self.flags.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok()
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.has(ABORTED)
    }

    /// Returns whether an abort of it was wanted, and is no failure.
    pub(crate) fn is_abort_wanted(&self) -> bool {
        self.has(WANTED)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        lock(&self.details).outcome.filter(|_| self.has(ENDED))
    }

    /// Judges what the future of a job returned: as a manager does for a task.
    pub(crate) fn judge(&self, result: anyhow::Result<()>) -> End {
        match result {
            Ok(()) => End::Completed,
            Err(error) => {
                let is_cancelled = self.stage.get() >= Stage::Cancelled;
                if is_cancelled && Cancelled::is_outermost_in(&error) {
                    discard(error);
                    End::Cancelled
                } else {
                    End::Failed(error)
                }
            }
        }
    }

    /// Records how the future ended, which is dropped by now. Called once. The child has ended once
    /// no hold is left either.
    pub(crate) fn future_ended(&self, end: End) {
        let mut details = lock(&self.details);
        let mut outcome = end.outcome();
        // What a thread of the child panicked with is recorded already.
        let is_known = match (&details.beside, &end) {
            (Some(beside), End::Panicked(panic)) => beside.message == panic.message,
            _ => false,
        };
        if details.beside.is_some() && outcome.is_clean() {
            outcome = Outcome::Panicked;
        }
        details.outcome = Some(outcome);
        let is_kept = self.has(RETURNS) && !details.is_detached;
        let failure = match end {
            End::Completed | End::Cancelled | End::Aborted => None,
            End::Failed(error) => Some(Failure::Error(error)),
            End::Panicked(panic) if is_kept => {
                details.panic = Some(panic);
                None
            }
            End::Panicked(_) if is_known => None,
            End::Panicked(panic) => Some(Failure::Panic(panic)),
        };
        drop(details);
        if let Some(failure) = failure {
            self.group.failed(self, failure);
        }
        // The holders learn that the future is over.
        self.stage.advance(Stage::Cancelled);
        self.release();
    }

    /// Records a panic beside another failure of the child.
    pub(crate) fn failed_beside(&self, panic: Panic) {
        self.group.failed(self, Failure::Panic(panic));
    }

    /// Records that nobody will take the value.
    pub(crate) fn detach(&self) {
        let mut details = lock(&self.details);
        details.is_detached = true;
        let panic = details.panic.take();
        drop(details);
        if let Some(panic) = panic {
            self.group.failed(self, Failure::Panic(panic));
        }
    }

    /// Takes the panic that stands for the value.
    pub(crate) fn take_panic(&self) -> Option<Panic> {
        lock(&self.details).panic.take()
    }

    fn release(&self) {
        let is_last = self.pending.fetch_sub(1, Ordering::SeqCst) == 1;
        // A hold that is taken after the end holds nothing.
        if is_last && self.flags.fetch_or(ENDED, Ordering::SeqCst) & ENDED == 0 {
            self.group.ended(self);
        }
    }

    /// Returns the children of the child. Each may be the last reference.
    pub(crate) fn children(&self) -> Vec<Arc<dyn ChildrenView>> {
        lock(&self.details).children.iter().filter_map(Weak::upgrade).collect()
    }

    /// Adds the name, with the status, and the names of the child's own children.
    pub(crate) fn describe(&self, limit: usize, living: &mut Living) {
        let status = lock(&self.details).status.clone();
        let name = guarded_name(&self.name);
        living.names.push(match status {
            Some(status) => format!("{name} ({})", guarded_name(&status)),
            None => name.clone(),
        });
        for children in self.children() {
            let room = limit.saturating_sub(living.names.len());
            let inside = children.living(room);
            living
                .names
                .extend(inside.names.iter().take(room).map(|child| format!("{name}/{child}")));
            living.more += inside.more;
        }
    }
}

/// What went wrong with a child.
pub(crate) enum Failure {
    Error(anyhow::Error),
    Panic(Panic),
}

/// A context of its own: a stage, so that one child can be stopped alone; its holds; a status that
/// leaves that of the task as it is.
impl Scope for Member {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn outer(&self) -> Option<&Context> {
        Some(&self.group.ctx)
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// The readiness of a child is not that of the task.
    fn set_ready(&self, _ready: bool) {}

    fn set_status(&self, status: Cow<'static, str>) {
        let mut ends = (0..=status.len().min(MAX_STATUS)).rev();
        let fits = ends.find(|end| status.is_char_boundary(*end)).unwrap_or(0);
        let status = Some(&status[..fits]).filter(|status| !status.is_empty()).map(Arc::from);
        let before = mem::replace(&mut lock(&self.details).status, status);
        drop(before);
    }

    /// A child that waits is not the task.
    fn record_wait(&self, _wait: Option<Duration>) {}

    fn record_failure(&self, error: anyhow::Error) {
        self.group.ctx.record_failure(error.context(guarded_name(&self.name)));
    }

    fn record_panic(&self, panic: Panic) {
        self.group.ctx.record_panic(named(&self.name, panic));
    }

    /// Gives the error back: the child's future returns it.
    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        Err(error)
    }

    /// The child has failed, and is asked to end.
    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        lock(&self.details).beside.get_or_insert_with(|| panic.clone());
        self.group.failed(&self, Failure::Panic(panic));
        self.stage.advance(Stage::Cancelled);
    }

    fn add_hold(&self) {
        self.pending.fetch_add(1, Ordering::SeqCst);
    }

    fn release_hold(self: Arc<Self>) {
        self.release();
    }

    fn add_children(&self, children: Weak<dyn ChildrenView>) {
        let mut details = lock(&self.details);
        let known = &mut details.children;
        if known.len() == known.capacity() {
            known.retain(|children| children.strong_count() > 0);
        }
        known.push(children);
    }
}

/// Names the child in the message of its panic.
pub(crate) fn named(name: &str, mut panic: Panic) -> Panic {
    panic.message.insert_str(0, &format!("{}: ", guarded_name(name)));
    panic
}
