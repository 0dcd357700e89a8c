//! The interface between a task's context and its manager, for those who implement managers and
//! test kits. Tasks do not use it.
//!
//! | to | implement, or use |
//! |---|---|
//! | run a task in a test | a [`StageCell`], which is a scope by itself |
//! | record what a task reports, or manage tasks | [`Scope`], one per task |
//! | run a task inside another, which it reports through | [`Scope`] with [`Scope::outer`] |
//! | have what a task spawned named and aborted with it | [`ChildrenView`] |
//! | show a group to its tasks | [`GroupView`], one per group |
//! | wait for a number that grows | [`Level`] |
//! | call code that may panic or block | [`catch`], [`discard`], [`panic_text`], [`run_aside`], [`run_with_timeout`], [`write_stderr`] |
//! | have the threads for that when they are needed | [`reserve_threads`] |
//! | hand messages to a thread | [`channel`] |
//! | see whether a runtime is blocked | [`RuntimeProbe`] |
//! | leave a message in a file when the process ends | [`ending_message`], [`write_ending_message`] |
//! | write foreign text into a line, and lengths of time | [`guarded_text`], [`guarded_name`], [`seconds`] |
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
//! # A scope inside another
//!
//! A wrapper that runs a task (again, for a limited time, while it holds a lock) gives it a context
//! with a stage of its own, and cancels it without the whole task being cancelled. All that it does
//! not implement is that of the [outer](Scope::outer) context. One that survives failures
//! implements [`Scope::fail`] and [`Scope::fail_by_panic`]. The stage is the one thing that the
//! wrapper has to hand on; a waker at the outer context does so on the thread that stops the task,
//! even if the runtime is blocked:
//!
//! ```
//! use std::{sync::{Arc, Weak}, task::Wake};
//! use task_core::{Context, scope::{Scope, Stage, StageCell}};
//!
//! struct Inner {
//!     outer: Context,
//!     stage: StageCell,
//! }
//!
//! impl Scope for Inner {
//!     fn stage(&self) -> &StageCell {
//!         &self.stage
//!     }
//!
//!     fn outer(&self) -> Option<&Context> {
//!         Some(&self.outer)
//!     }
//! }
//!
//! /// Weak, since the outer context keeps the waker.
//! struct HandOn(Weak<Inner>);
//!
//! impl Wake for HandOn {
//!     fn wake(self: Arc<Self>) {
//!         if let Some(inner) = self.0.upgrade() {
//!             inner.stage.advance(inner.outer.stage());
//!         }
//!     }
//! }
//!
//! fn inside(outer: &Context) -> Context {
//!     let inner = Arc::new(Inner { outer: outer.clone(), stage: StageCell::new() });
//!     let hand_on = Arc::new(HandOn(Arc::downgrade(&inner)));
//!     outer.wake_at(Stage::Draining, hand_on.clone().into());
//!     outer.wake_at(Stage::Cancelled, hand_on.into());
//!     Context::new(inner)
//! }
//!
//! let task = Arc::new(StageCell::new());
//! let inner = inside(&Context::new(task.clone()));
//! task.advance(Stage::Cancelled);
//! assert!(inner.is_cancelled());
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

use std::{
    borrow::Cow,
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{Context, Escalation, Fuse, FuseInstant, Group, Panic, Phase, Pulse};
pub use crate::{
    bounded::{Aside, AsideJob, reserve_threads, run_aside, run_with_timeout, write_stderr},
    channel::{Receiver, Sender, channel},
    children::{ChildrenView, Living},
    fuse::FuseCell,
    group::{EventsFrom, GroupView},
    level::{Level, Wakers},
    message::{ending_message, write_ending_message},
    panics::{catch, discard, install_hook, panic_text, probe},
    pulse::PulseFn,
    runtime_probe::{ProbeTask, RuntimeProbe},
    stage::{Stage, StageCell},
    text::{guarded_name, guarded_text, seconds},
};

/// The manager's side of one running task. A [`Context`] is an `Arc` of one.
///
/// Only [`stage`](Self::stage) is required. The other methods default to those of the
/// [outer](Self::outer) context, and without one, to those of a task that has no group: what the
/// task reports is ignored.
///
/// Methods are called from any thread, also after the task has ended. They must neither block nor
/// panic. The [module's documentation](self) has an example.
pub trait Scope: Send + Sync + 'static {
    /// Returns the task's stage, which every wait for a stop waits on.
    fn stage(&self) -> &StageCell;

    /// Returns the context that this scope is inside of, to which the methods below then default.
    /// Default: `None`.
    ///
    /// The stage is not taken from it: the module's documentation shows how to hand it on.
    fn outer(&self) -> Option<&Context> {
        None
    }

    /// Returns the task's name. Default: `"task"`.
    fn name(&self) -> &str {
        self.outer().map_or("task", Context::name)
    }

    /// Returns the phase in which the task is stopped. Default: [`Phase::WORK`].
    fn phase(&self) -> Phase {
        self.outer().map_or(Phase::WORK, Context::phase)
    }

    /// Returns how much time the task has left to end. Default: `None`, which is without limit.
    fn remaining(&self) -> Option<Duration> {
        self.outer().and_then(Context::remaining)
    }

    /// Records whether the task is ready. Default: ignored.
    fn set_ready(&self, ready: bool) {
        if let Some(outer) = self.outer() {
            outer.set_ready(ready);
        }
    }

    /// Records what the task is doing. Default: ignored.
    ///
    /// The scope decides how much of it to keep; the manager keeps 256 bytes.
    fn set_status(&self, status: Cow<'static, str>) {
        if let Some(outer) = self.outer() {
            outer.set_status(status);
        }
    }

    /// Asks the whole group to stop. Default: ignored.
    fn request_stop(&self, reason: Cow<'static, str>) {
        if let Some(outer) = self.outer() {
            outer.request_stop(reason);
        }
    }

    /// Escalates the shutdown, and begins it if there is none. Default: ignored.
    fn escalate(&self, level: Escalation) {
        if let Some(outer) = self.outer() {
            outer.escalate(level);
        }
    }

    /// Counts one more hold, for which the task's end waits. Default: ignored.
    fn add_hold(&self) {
        if let Some(outer) = self.outer() {
            outer.scope().add_hold();
        }
    }

    /// Counts one hold less. Called once for each [`add_hold`](Self::add_hold). Default: ignored.
    fn release_hold(self: Arc<Self>) {
        if let Some(outer) = self.outer() {
            Arc::clone(outer.scope()).release_hold();
        }
    }

    /// Records a failure that does not end the task. Default: dropped, for lack of a report.
    fn record_failure(&self, error: anyhow::Error) {
        if let Some(outer) = self.outer() {
            outer.record_failure(error);
        }
    }

    /// Records a panic that does not end the task. Default:
    /// [`record_failure`](Self::record_failure) with the panic as the error.
    fn record_panic(&self, panic: Panic) {
        match self.outer() {
            Some(outer) => outer.record_panic(panic),
            None => self.record_failure(panic.into()),
        }
    }

    /// Counts a failure that does not end the task, and that is not in the report. Default:
    /// ignored.
    fn count_failure(&self) {
        if let Some(outer) = self.outer() {
            outer.count_failure();
        }
    }

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
        match self.outer() {
            Some(outer) => Arc::clone(outer.scope()).fail(error),
            None => Err(error),
        }
    }

    /// Fails the task, as [`fail`](Self::fail) does, by a panic of a thread that belongs to it: in
    /// [`Context::enter`], or where it dropped a [`Hold`](crate::Hold).
    /// Called once for each panic. The future may still propagate the same panic, which then counts
    /// once. Default: records it as a failure that does not end the task.
    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        match self.outer() {
            Some(outer) => Arc::clone(outer.scope()).fail_by_panic(panic),
            None => self.record_panic(panic),
        }
    }

    /// Counts one restart. Default: ignored.
    fn record_restart(&self) {
        if let Some(outer) = self.outer() {
            outer.record_restart();
        }
    }

    /// Records for how long the task waits before it works again; `None` if it works. Default:
    /// ignored.
    fn record_wait(&self, wait: Option<Duration>) {
        if let Some(outer) = self.outer() {
            outer.record_wait(wait);
        }
    }

    /// Records how many signals of a name have arrived so far. Default: ignored.
    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        if let Some(outer) = self.outer() {
            outer.record_signal(name, count);
        }
    }

    /// Registers children of the task, to be named and aborted with it. The reference is weak: what
    /// no longer exists has no children. Default: ignored.
    fn add_children(&self, children: Weak<dyn ChildrenView>) {
        if let Some(outer) = self.outer() {
            outer.add_children(children);
        }
    }

    /// Calls `beat` every `interval`, from a thread of the manager, until the manager's `wait` has
    /// returned; see [`Context::pulse`]. Default: `None`, since nothing would call it.
    fn pulse(&self, interval: Duration, beat: PulseFn) -> Option<Pulse> {
        self.outer().and_then(|outer| outer.scope().pulse(interval, beat))
    }

    /// Ends the process at an instant, with an exit code and a text, unless the fuse is moved or
    /// disarmed; see [`Context::fuse`]. Default: `None`, since nothing would end it.
    fn fuse(&self, at: FuseInstant, code: u8, text: String) -> Option<Fuse> {
        self.outer().and_then(|outer| outer.scope().fuse(at, code, text))
    }

    /// Returns the read-only view of the group. Default: [`Group::alone`].
    fn group(&self) -> Group {
        self.outer().map_or_else(Group::alone, Context::group)
    }

    /// Runs `body` on the calling thread as a part of this task, so that its log lines carry the
    /// task's span. Default: just runs it.
    ///
    /// `body` must be called at most once, and does not panic. If it is not called,
    /// [`Context::enter`] runs it afterwards.
    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        match self.outer() {
            Some(outer) => Arc::clone(outer.scope()).enter(body),
            None => body(),
        }
    }
}

impl Scope for StageCell {
    fn stage(&self) -> &StageCell {
        self
    }
}
