//! An instant at which the process ends unless it is moved or disarmed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::fuse_instant::FuseInstant;

/// An instant at which a manager ends the process, unless it is moved or disarmed before: for work
/// that must not go on beyond a deadline, such as the end of a lease, even if it blocks every
/// worker. Made by [`Context::fuse`](crate::Context::fuse).
///
/// Dropping it disarms it.
#[must_use = "dropping it disarms it"]
pub struct Fuse(Arc<FuseCell>);

impl Fuse {
    /// Creates a fuse, and what a manager sees of it: for managers. `changed` is called after each
    /// change, on the thread that makes it, and must not block.
    pub fn new(
        at: FuseInstant,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> (Self, Arc<FuseCell>) {
        let cell =
            Arc::new(FuseCell { state: Mutex::new(State::Armed(at)), changed: Box::new(changed) });
        (Self(Arc::clone(&cell)), cell)
    }

    /// Moves the fuse, to an earlier or a later instant. Returns whether it was moved: a fuse whose
    /// instant has come cannot be moved any more, also if the process is only about to end.
    pub fn move_to(&self, at: FuseInstant) -> bool {
        let mut state = self.0.lock();
        let is_ahead = matches!(*state, State::Armed(before) if FuseInstant::now() < before);
        if is_ahead {
            *state = State::Armed(at);
        }
        drop(state);
        if is_ahead {
            (self.0.changed)();
        }
        is_ahead
    }

    /// Disarms the fuse, as its drop does.
    pub fn disarm(self) {}
}

impl Drop for Fuse {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let State::Armed(_) = *state {
            *state = State::Disarmed;
        }
    }
}

impl fmt::Debug for Fuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fuse").field(&self.0.at()).finish()
    }
}

/// What a manager sees of a [`Fuse`].
pub struct FuseCell {
    state: Mutex<State>,
    changed: Box<dyn Fn() + Send + Sync>,
}

#[derive(Clone, Copy)]
enum State {
    Armed(FuseInstant),
    Disarmed,
    /// The process ends.
    Burnt,
}

impl FuseCell {
    /// Returns when the process is to end; `None` if the fuse is disarmed, or has burnt.
    pub fn at(&self) -> Option<FuseInstant> {
        match *self.lock() {
            State::Armed(at) => Some(at),
            State::Disarmed | State::Burnt => None,
        }
    }

    /// Burns the fuse if its instant has come: once, and then it can neither be moved nor disarmed.
    /// Returns whether the caller is to end the process.
    pub fn burn(&self) -> bool {
        let mut state = self.lock();
        let is_due = matches!(*state, State::Armed(at) if at <= FuseInstant::now());
        if is_due {
            *state = State::Burnt;
        }
        is_due
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FuseCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuseCell").field("at", &self.at()).finish_non_exhaustive()
    }
}
