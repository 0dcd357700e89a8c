//! The interface between a task's context and its manager, for those who implement managers and
//! test kits. Tasks do not use it.
//!
//! | to | implement, or use |
//! |---|---|
//! | run a task in a test | a [`StageCell`], which is a scope by itself |
//! | record what a task reports, or manage tasks | [`Scope`], one per task |
//! | show a group to its tasks | [`GroupView`], one per group |
//! | wait for a number that grows | [`Level`] |
//! | call code that may panic or block | [`catch`], [`discard`], [`panic_text`], [`run_aside`], [`run_with_timeout`], [`write_stderr`] |
//! | have the threads for that when they are needed | [`reserve_threads`] |
//! | write foreign text into a line | [`guarded_text`], [`guarded_name`] |
//!
//! The module is part of this crate's stable interface: methods are only added, and with defaults.
//!
//! # A minimal scope
//!
//! Only [`Scope::stage`] is required. This one also records the task's status:
//!
//! ```
//! use std::{borrow::Cow, sync::{Arc, Mutex}};
//! use task_core::{Context, Task, scope::{Scope, Stage, StageCell}, task_fn};
//!
//! #[derive(Default)]
//! struct Recorded {
//!     stage: StageCell,
//!     status: Mutex<Cow<'static, str>>,
//! }
//!
//! impl Scope for Recorded {
//!     fn stage(&self) -> &StageCell {
//!         &self.stage
//!     }
//!
//!     fn set_status(&self, status: Cow<'static, str>) {
//!         *self.status.lock().unwrap() = status;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let scope = Arc::new(Recorded::default());
//! let task = task_fn("worker", async |ctx: Context| {
//!     ctx.cancelled().await;
//!     ctx.set_status("flushed");
//!     Ok(())
//! });
//! let running = tokio::spawn(task.run(Context::new(scope.clone())));
//! scope.stage.advance(Stage::Cancelled);
//! running.await.unwrap().unwrap();
//! assert_eq!(*scope.status.lock().unwrap(), "flushed");
//! # }
//! ```
//!
//! # What a manager must do
//!
//! - Advance the stage to [`Stage::Cancelled`] to stop a task, and to [`Stage::Ended`] once its
//!   future is dropped and its last hold released. When the future has ended and holds remain, the
//!   stage is at least [`Stage::Cancelled`].
//! - Call [`Task::admitted`](crate::Task::admitted) once, before the future is spawned.
//! - Catch the panics of every method of a task, of the polls of its future, and of the drops of
//!   the future and of what it returned; see [`discard`].
//! - Judge a returned error by [`Cancelled::is_outermost_in`](crate::Cancelled::is_outermost_in).
//! - Stop the group in [`Scope::fail`] and [`Scope::fail_by_panic`], which threads call, and
//!   leave the task failed however its future ends.
//! - Call wakers outside of its locks; see [`Level::raise_quietly`].

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{Escalation, Group, Panic};
pub use crate::{
    bounded::{Aside, AsideJob, reserve_threads, run_aside, run_with_timeout, write_stderr},
    group::GroupView,
    level::{Level, Wakers},
    panics::{catch, discard, install_hook, panic_text},
    stage::{Stage, StageCell},
    text::{guarded_name, guarded_text},
};

/// The manager's side of one running task. A [`Context`](crate::Context) is an `Arc` of one.
///
/// Only [`stage`](Self::stage) is required. The other methods default to those of a task without a
/// group: what the task reports is ignored.
///
/// Methods are called from any thread, also after the task has ended. They must neither block nor
/// panic. The [module's documentation](self) has an example.
pub trait Scope: Send + Sync + 'static {
    /// Returns the task's stage, which every wait for a stop waits on.
    fn stage(&self) -> &StageCell;

    /// Returns the task's name. Default: `"task"`.
    fn name(&self) -> &str {
        "task"
    }

    /// Returns how much time the task has left to end. Default: `None`, which is without limit.
    fn remaining(&self) -> Option<Duration> {
        None
    }

    /// Records whether the task is ready. Default: ignored.
    fn set_ready(&self, _ready: bool) {}

    /// Records what the task is doing. Default: ignored.
    ///
    /// The scope decides how much of it to keep; the manager keeps 256 bytes.
    fn set_status(&self, _status: Cow<'static, str>) {}

    /// Asks the whole group to stop. Default: ignored.
    fn request_stop(&self, _reason: Cow<'static, str>) {}

    /// Escalates the shutdown, and begins it if there is none. Default: ignored.
    fn escalate(&self, _level: Escalation) {}

    /// Counts one more hold, for which the task's end waits. Default: ignored.
    fn add_hold(&self) {}

    /// Counts one hold less. Called once for each [`add_hold`](Self::add_hold). Default: ignored.
    fn release_hold(self: Arc<Self>) {}

    /// Records a failure that does not end the task. Default: dropped, for lack of a report.
    fn record_failure(&self, _error: anyhow::Error) {}

    /// Fails the task with an error of a thread that belongs to it. Default: gives the error back,
    /// for the future to return it.
    ///
    /// A scope that takes the error acts at once, on the calling thread: it records the failure and
    /// stops the group, even if the task's future is not polled. A clean end of the future then
    /// leaves the task failed.
    ///
    /// # Errors
    ///
    /// The error, if it is not taken.
    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        Err(error)
    }

    /// Fails the task, as [`fail`](Self::fail) does, by a panic of a thread that belongs to it: in
    /// [`Context::enter`](crate::Context::enter), or where it dropped a [`Hold`](crate::Hold).
    /// Called once for each panic. The future may still propagate the same panic, which then counts
    /// once. Default: records it as a failure that does not end the task.
    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        self.record_failure(anyhow::Error::msg(panic.to_string()));
    }

    /// Counts one restart. Default: ignored.
    fn record_restart(&self) {}

    /// Records how many signals of a name have arrived so far. Default: ignored.
    fn record_signal(&self, _name: Cow<'static, str>, _count: u64) {}

    /// Returns the read-only view of the group. Default: [`Group::alone`].
    fn group(&self) -> Group {
        Group::alone()
    }

    /// Runs `body` on the calling thread as a part of this task, so that its log lines carry the
    /// task's span. Default: just runs it.
    ///
    /// `body` must be called at most once, and does not panic. If it is not called,
    /// [`Context::enter`](crate::Context::enter) runs it afterwards.
    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        body();
    }
}

impl Scope for StageCell {
    fn stage(&self) -> &StageCell {
        self
    }
}
