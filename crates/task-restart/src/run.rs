//! One run of the task, and the context that it sees: a stage of its own, holds of its own, and for
//! the rest the outer context.

use std::{borrow::Cow, sync::Arc, time::Duration};

use task_core::{
    Context, Hold, Panic,
    scope::{Level, Scope, Stage, StageCell},
};

use tracing::error;

use crate::{
    failure::Failure,
    rt::Instant,
    shared::Shared,
    sync::{Mutex, lock},
};

/// One run. Its stage is [`Ended`](Stage::Ended) when its future has ended and no hold is left.
pub(crate) struct Run {
    outer: Context,
    shared: Arc<Shared>,
    number: u64,
    stage: StageCell,
    held: Mutex<Held>,
    /// When the run is dropped, once it alone was asked to end.
    drop_at: Mutex<Option<Instant>>,
    /// Raised when a thread of the run has panicked.
    pub(crate) has_panicked: Level,
    panic: Mutex<Option<Panic>>,
}

struct Held {
    /// The future itself, and each hold.
    pending: usize,
    /// The outer task has not ended while this run has not.
    outer: Option<Hold>,
}

impl Run {
    pub(crate) fn new(outer: Context, shared: Arc<Shared>, number: u64) -> Self {
        Self {
            held: Mutex::new(Held { pending: 1, outer: Some(outer.hold()) }),
            outer,
            shared,
            number,
            stage: StageCell::new(),
            drop_at: Mutex::new(None),
            has_panicked: Level::new(),
            panic: Mutex::new(None),
        }
    }

    pub(crate) fn outer(&self) -> &Context {
        &self.outer
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns the run's number; the first is 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Takes over the stage of the outer context, which is that of the run at least.
    pub(crate) fn follow(&self) {
        match self.outer.stage() {
            Stage::Running => {}
            Stage::Draining => self.stage.advance(Stage::Draining),
            // The end of the outer future is not that of the run's holds. Later stages are at least
            // a stop.
            _ => self.stage.advance(Stage::Cancelled),
        }
    }

    /// Asks this run alone to end, before it is dropped at `drop_at`.
    pub(crate) fn cancel(&self, drop_at: Option<Instant>) {
        *lock(&self.drop_at) = drop_at;
        self.stage.advance(Stage::Cancelled);
    }

    /// Records that the future is gone, which asks the holders to end. Called once.
    pub(crate) fn end(&self) {
        self.stage.advance(Stage::Cancelled);
        self.release();
    }

    /// Returns whether the run has ended and no hold of it is left.
    pub(crate) fn is_released(&self) -> bool {
        self.stage.get() == Stage::Ended
    }

    /// Waits until no hold of an ended run is left.
    pub(crate) fn released(&self) -> task_core::WaitFor<'_> {
        self.stage.reached(Stage::Ended)
    }

    /// Returns the first panic of a thread of the run.
    pub(crate) fn take_panic(&self) -> Option<Panic> {
        lock(&self.panic).take()
    }

    fn has_say(&self) -> bool {
        self.shared.number() == self.number
    }

    fn release(&self) {
        let mut held = lock(&self.held);
        held.pending = held.pending.saturating_sub(1);
        let last = if held.pending == 0 { held.outer.take() } else { None };
        drop(held);
        if let Some(outer) = last {
            self.stage.advance(Stage::Ended);
            // On the thread of a helper, which may unwind: its panic is the run's.
            outer.release();
        }
    }
}

impl Scope for Run {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn outer(&self) -> Option<&Context> {
        Some(&self.outer)
    }

    /// Returns the time until the run is dropped, where that is sooner than the outer deadline.
    fn remaining(&self) -> Option<Duration> {
        let drop_at = *lock(&self.drop_at);
        let left = drop_at.map(|at| at.saturating_duration_since(Instant::now()));
        left.into_iter().chain(self.outer.remaining()).min()
    }

    fn set_ready(&self, ready: bool) {
        self.shared.set_ready(self, ready);
    }

    /// A status of a run that is over is dropped. One that is set at the very end of the run may
    /// come a moment after it, and stays until the next.
    fn set_status(&self, status: Cow<'static, str>) {
        if self.has_say() {
            self.outer.set_status(status);
        }
    }

    /// A failure that a run survives, or leaves behind when it fails, is one that the task
    /// survives.
    fn record_failure(&self, error: anyhow::Error) {
        if self.shared.records_failures() || self.outer.is_cancelled() {
            return self.outer.record_failure(error);
        }
        let failure = Failure::Error(error);
        let mut error = String::new();
        failure.write(&mut error);
        error!(target: "task", run = self.number, error, "run failed and went on");
        failure.survive(&self.outer, false);
    }

    /// Gives the error back: the run's future returns it, and the task may survive it.
    fn fail(self: Arc<Self>, error: anyhow::Error) -> Result<(), anyhow::Error> {
        Err(error)
    }

    /// Fails the run and not the task. A panic beside another one, or after the run, is recorded;
    /// in a stop, in which the task has no other run to go on with, it fails the task.
    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        let mut first = lock(&self.panic);
        if self.has_say() && self.has_panicked.get() == 0 {
            *first = Some(panic);
            let wakers = self.has_panicked.raise_quietly(1);
            drop(first);
            wakers.wake();
        } else {
            drop(first);
            if self.outer.is_cancelled() {
                self.outer.fail_by_panic(panic);
            } else {
                self.outer.record_panic(panic);
            }
        }
    }

    fn add_hold(&self) {
        let mut held = lock(&self.held);
        held.pending += 1;
        // A hold that is taken after the run has ended counts for the outer task.
        held.outer.get_or_insert_with(|| self.outer.hold());
    }

    fn release_hold(self: Arc<Self>) {
        self.release();
    }
}
