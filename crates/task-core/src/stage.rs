//! How far along its life one task is, as the task itself sees it.

use crate::{WaitFor, level::Level, level::Wakers};

/// How far along its life a task is. It only ever moves forward; later versions may have more stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Stage {
    /// At work.
    Running,
    /// The group is no longer ready and will stop soon; the task goes on working.
    Draining,
    /// The task is asked to end.
    Cancelled,
    /// The task has ended.
    Ended,
}

/// The [`Stage`] of one task, with those who wait for it: the one thing that a [`Scope`](crate::scope::Scope) must have.
///
/// It also is a scope by itself, the smallest there is, which is enough to run a task in a test:
///
/// ```
/// # use std::sync::Arc;
/// # use task_core::{Context, scope::{Stage, StageCell}};
/// let stage = Arc::new(StageCell::new());
/// let ctx = Context::new(stage.clone());
/// stage.advance(Stage::Cancelled);
/// assert!(ctx.is_cancelled());
/// ```
#[derive(Debug, Default)]
pub struct StageCell {
    level: Level,
    #[cfg(feature = "token")]
    token: std::sync::OnceLock<tokio_util::sync::CancellationToken>,
}

impl StageCell {
    /// Makes a cell at [`Stage::Running`].
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

    /// Moves forward to `stage` and wakes who waits for it; does nothing if the cell is already there or beyond.
    /// Wakers are called on this thread, each with its panics caught.
    pub fn advance(&self, stage: Stage) {
        self.advance_quietly(stage).wake();
    }

    /// Like [`advance`](Self::advance), but leaves the waking to the caller, who may hold a lock or have no time.
    pub fn advance_quietly(&self, stage: Stage) -> Wakers {
        self.level.raise_quietly(u64::from(stage as u8))
    }

    /// Resolves once the stage is `stage` or a later one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it can be dropped and asked again at any time.
    pub fn reached(&self, stage: Stage) -> WaitFor<'_> {
        self.level.reached(u64::from(stage as u8))
    }

    /// Returns a new child of the one token that is cancelled with this task. The parent is made at the first call.
    #[cfg(feature = "token")]
    pub fn child_token(&self) -> tokio_util::sync::CancellationToken {
        let parent = self.token.get_or_init(|| {
            let token = tokio_util::sync::CancellationToken::new();
            let waker = std::sync::Arc::new(CancelOnWake(token.clone()));
            self.level.wake_at(u64::from(Stage::Cancelled as u8), waker.into());
            token
        });
        parent.child_token()
    }
}

/// Lets a token stand in the list of wakers.
#[cfg(feature = "token")]
struct CancelOnWake(tokio_util::sync::CancellationToken);

#[cfg(feature = "token")]
impl std::task::Wake for CancelOnWake {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.cancel();
    }
}
