//! What lives in one term, and the context that it sees: a stage of its own, holds of its own, and
//! for the rest the outer context.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    Context, Fuse, FuseInstant, Hold, WaitFor,
    scope::{Scope, Stage, StageCell},
};

use crate::{
    clock::{At, Clock},
    sync::lock,
};

/// One term. Its stage is [`Ended`](Stage::Ended) when its future has ended and no hold is left.
///
/// The fuse is armed for exactly as long: also if the wrapper is dropped while a thread of the term
/// goes on.
pub(crate) struct Run {
    outer: Context,
    clock: Clock,
    term: u64,
    stage: StageCell,
    held: Mutex<Held>,
    /// When the future is dropped, once the term alone was asked to end.
    drop_at: Mutex<Option<At>>,
}

struct Held {
    /// The future itself, and each hold.
    pending: usize,
    /// The outer task has not ended while this term has not.
    outer: Option<Hold>,
    fuse: Option<Fuse>,
}

impl Run {
    pub(crate) fn new(outer: Context, clock: Clock, term: u64, fuse: Option<Fuse>) -> Self {
        Self {
            held: Mutex::new(Held { pending: 1, outer: Some(outer.hold()), fuse }),
            outer,
            clock,
            term,
            stage: StageCell::new(),
            drop_at: Mutex::new(None),
        }
    }

    /// Takes over the stage of the outer context, which is that of the term at least.
    pub(crate) fn follow(&self) {
        match self.outer.stage() {
            Stage::Running => {}
            Stage::Draining => self.stage.advance(Stage::Draining),
            // The end of the outer future is not that of the term's holds.
            _ => self.stage.advance(Stage::Cancelled),
        }
    }

    /// Asks this term alone to end, before its future is dropped at `drop_at`.
    pub(crate) fn cancel(&self, drop_at: At) {
        *lock(&self.drop_at) = Some(drop_at);
        self.stage.advance(Stage::Cancelled);
    }

    /// Returns when the future is dropped, if the term alone was asked to end.
    pub(crate) fn drop_at(&self) -> Option<At> {
        *lock(&self.drop_at)
    }

    /// Moves the end of the process, unless nothing of the term is alive.
    pub(crate) fn move_fuse(&self, at: FuseInstant) {
        if let Some(fuse) = &lock(&self.held).fuse {
            fuse.move_to(at);
        }
    }

    /// Records that the future is gone, which asks the holders to end. Called once.
    pub(crate) fn end(&self) {
        self.stage.advance(Stage::Cancelled);
        self.release();
    }

    /// Returns whether nothing of the term is alive.
    pub(crate) fn is_released(&self) -> bool {
        self.stage.get() == Stage::Ended
    }

    /// Waits until nothing of the term is alive.
    pub(crate) fn released(&self) -> WaitFor<'_> {
        self.stage.reached(Stage::Ended)
    }

    fn release(&self) {
        let mut held = lock(&self.held);
        held.pending = held.pending.saturating_sub(1);
        let last =
            if held.pending == 0 { (held.fuse.take(), held.outer.take()) } else { (None, None) };
        drop(held);
        let (fuse, outer) = last;
        drop(fuse);
        if let Some(outer) = outer {
            self.stage.advance(Stage::Ended);
            // On the thread of a helper, which may unwind: it has reported its panic.
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

    /// Returns the time until the future is dropped, where that is sooner than the outer deadline.
    fn remaining(&self) -> Option<Duration> {
        let left = self.drop_at().map(|at| at.saturating_sub(self.clock.now()));
        left.into_iter().chain(self.outer.remaining()).min()
    }

    /// Does nothing: the task is ready as a follower, too.
    fn set_ready(&self, _ready: bool) {}

    fn set_status(&self, status: Cow<'static, str>) {
        if self.stage.get() != Stage::Ended {
            let leads = format!("leads, term {}", self.term);
            let is_empty = status.is_empty();
            self.outer.set_status(if is_empty { leads } else { format!("{leads}: {status}") });
        }
    }

    fn add_hold(&self) {
        let mut held = lock(&self.held);
        held.pending += 1;
        // A hold that is taken after the term has ended counts for the outer task.
        held.outer.get_or_insert_with(|| self.outer.hold());
    }

    fn release_hold(self: Arc<Self>) {
        self.release();
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("term", &self.term).finish_non_exhaustive()
    }
}
