//! The interface between a task's context and whoever implements it: managers and test kits.
//!
//! A task never needs this module. A manager implements [`Scope`] for its record of a task and [`GroupView`] for its
//! group; a test runs a task under a [`StageCell`] alone. [`Level`] is the one waiting primitive behind both: a stage is
//! one, and a [`GroupView`] raises one at each change. [`discard`] and [`panic_text`] are how every crate of the
//! workspace treats a panic that it caught.
//!
//! It is part of the stable interface of this crate.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use crate::Group;
pub use crate::{
    group::GroupView,
    level::{Level, Wakers},
    payload::{discard, panic_text},
    stage::{Stage, StageCell},
};

/// The manager's side of one running task; a [`Context`](crate::Context) is an `Arc` of one.
///
/// Managers and test kits implement it. Only [`stage`](Self::stage) is required: the defaults of the other methods
/// belong to a task that runs alone, with no group to inform. Methods are called from any thread; none may block or
/// panic.
pub trait Scope: Send + Sync + 'static {
    /// Returns the task's stage, which is what everything that waits for a stop waits on.
    fn stage(&self) -> &StageCell;

    /// Returns the task's name. Default: `"task"`.
    fn name(&self) -> &str {
        "task"
    }

    /// Returns how much time the task has left to end, once that is known. Default: `None`.
    fn remaining(&self) -> Option<Duration> {
        None
    }

    /// Records whether the task is ready. Default: ignored.
    fn set_ready(&self, _ready: bool) {}

    /// Records what the task is doing. Default: ignored.
    fn set_status(&self, _status: Cow<'static, str>) {}

    /// Asks the whole group to stop. Default: ignored.
    fn request_stop(&self, _reason: Cow<'static, str>) {}

    /// Makes a shutdown hurry, or begins one that does. Default: ignored.
    fn escalate(&self, _level: Escalation) {}

    /// Counts one more reason why the task has not ended. Default: ignored.
    fn add_hold(&self) {}

    /// Takes back one [`add_hold`](Self::add_hold). Default: ignored.
    fn release_hold(self: Arc<Self>) {}

    /// Records a failure that the task survives. Default: dropped, since there is no report to put it into.
    fn record_failure(&self, _error: anyhow::Error) {}

    /// Counts one restart. Default: ignored.
    fn record_restart(&self) {}

    /// Records how many signals of a name have come so far. Default: ignored.
    fn record_signal(&self, _name: Cow<'static, str>, _count: u64) {}

    /// Returns the read-only view of the group. Default: [`Group::alone`].
    fn group(&self) -> Group {
        Group::alone()
    }

    /// Runs `body` on the calling thread as a part of this task: its panics are located and its log lines carry the
    /// task's span. For threads that belong to a task. Default: just runs it.
    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        body();
    }
}

impl Scope for StageCell {
    fn stage(&self) -> &StageCell {
        self
    }
}

/// How much a shutdown is made to hurry. Higher levels include the lower ones, and none is ever taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Escalation {
    /// Ends the drain at once: tasks are stopped now, within their budgets.
    EndDrain,
    /// Ends drain and grace: tasks that were asked to end are aborted, those asked only now within a quarter of a second,
    /// and cleanups run on the manager's short budget.
    Abort,
}

/// Keeps a task from having ended while it lives: what [`Context::hold`](crate::Context::hold) returns.
///
/// Give one to each thread or spawned task that belongs to the work of a task. The task's outcome is taken from its
/// own future; only the instant of its end waits for the last hold; one that is held beyond its deadline is abandoned. When that future has ended, the task's context is
/// cancelled, which tells the holders to let go; if it failed, the group stops at once and not only then.
#[must_use = "the hold is released when dropped"]
pub struct Hold(Arc<dyn Scope>);

impl Hold {
    pub(crate) fn new(scope: Arc<dyn Scope>) -> Self {
        scope.add_hold();
        Self(scope)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        Arc::clone(&self.0).release_hold();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.0.name()).finish()
    }
}
