//! The stage of one task, as the task itself sees it.

use std::task::Waker;

use crate::{
    WaitFor,
    level::{Level, Wakers},
};

/// The stage of one task. It only moves forward. Later versions may have more stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Stage {
    /// The task works.
    Running,
    /// The group is no longer ready and will stop soon. The task works on.
    Draining,
    /// The task is asked to end.
    Cancelled,
    /// The task has ended.
    Ended,
}

impl Stage {
    /// Returns the value that the level of a [`StageCell`] has at this stage.
    pub(crate) fn threshold(self) -> u64 {
        u64::from(self as u8)
    }
}

/// The [`Stage`] of one task and the futures that wait for it: all that a
/// [`Scope`](crate::scope::Scope) must have.
///
/// It implements `Scope` itself, so it is enough to run a task in a test.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use task_core::{Context, scope::{Stage, StageCell}};
///
/// let stage = Arc::new(StageCell::new());
/// let ctx = Context::new(stage.clone());
/// assert!(!ctx.is_draining());
///
/// stage.advance(Stage::Cancelled);
/// stage.advance(Stage::Draining); // does nothing: it would be a step back
/// assert!(ctx.is_draining() && ctx.is_cancelled());
/// ```
#[derive(Debug, Default)]
pub struct StageCell {
    level: Level,
    #[cfg(feature = "token")]
    token: std::sync::OnceLock<tokio_util::sync::CancellationToken>,
}

impl StageCell {
    /// Creates a cell at [`Stage::Running`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the stage.
    pub fn get(&self) -> Stage {
        match self.level.get() {
            0 => Stage::Running,
            1 => Stage::Draining,
            2 => Stage::Cancelled,
            _ => Stage::Ended,
        }
    }

    /// Moves forward to `stage` and wakes the futures that wait for it. Does nothing if the cell is
    /// at `stage` or a later one.
    ///
    /// The wakers are called on this thread. A panic of one is caught.
    pub fn advance(&self, stage: Stage) {
        self.advance_quietly(stage).wake();
    }

    /// Moves forward like [`advance`](Self::advance), and returns the wakers for the caller to
    /// call, outside of its locks.
    #[inline]
    pub fn advance_quietly(&self, stage: Stage) -> Wakers {
        self.level.raise_quietly(stage.threshold())
    }

    /// Waits until the stage is `stage` or a later one.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a call that is dropped loses nothing.
    pub fn reached(&self, stage: Stage) -> WaitFor<'_> {
        self.level.reached(stage.threshold())
    }

    /// Calls `waker` once when the stage is `stage` or a later one, which may be now. It cannot be
    /// removed.
    pub fn wake_at(&self, stage: Stage, waker: Waker) {
        self.level.wake_at(stage.threshold(), waker);
    }

    pub(crate) fn level(&self) -> &Level {
        &self.level
    }

    /// Returns a new child of one token that is cancelled with this task. The first call creates
    /// that token. Requires the feature `token`.
    #[cfg(feature = "token")]
    pub fn child_token(&self) -> tokio_util::sync::CancellationToken {
        let mut is_new = false;
        let parent = self.token.get_or_init(|| {
            is_new = true;
            tokio_util::sync::CancellationToken::new()
        });
        // Apart from the initialisation, since it may call foreign wakers, which may come back.
        if is_new {
            let waker = std::sync::Arc::new(CancelOnWake(parent.clone()));
            self.wake_at(Stage::Cancelled, waker.into());
        }
        parent.child_token()
    }
}

/// Cancels a token when woken, so that a token can be in the list of wakers.
#[cfg(feature = "token")]
struct CancelOnWake(tokio_util::sync::CancellationToken);

#[cfg(feature = "token")]
impl std::task::Wake for CancelOnWake {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.cancel();
    }
}
