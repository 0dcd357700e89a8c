//! What refers to one child.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use task_core::{Outcome, scope::Stage};

use crate::{
    error::{ChildError, What},
    member::Member,
    rt::JoinHandle,
};

/// Refers to one child, to stop it alone or to wait for its end. Returned by
/// [`Children::spawn`](crate::Children::spawn) and [`Child::handle`].
///
/// It is cheap to clone, and dropping it changes nothing. It remains valid after the child has
/// ended.
#[derive(Clone)]
pub struct ChildHandle(pub(crate) Arc<Member>);

impl ChildHandle {
    /// Returns the child's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Requests this one child to end, and returns at once: its context is cancelled. A child that
    /// ignores the request runs on. A second call does nothing.
    pub fn stop(&self) {
        self.0.stage.advance(Stage::Cancelled);
    }

    /// Aborts this one child, and returns at once: its context is cancelled, and its future is
    /// dropped at its next await, or before it is first polled. That is no failure. Once the child
    /// has ended or is being aborted, this does nothing.
    ///
    /// A child that blocks its thread cannot be aborted. It is named with its task; see the
    /// [crate's documentation](crate#the-end-of-the-task).
    pub fn abort(&self) {
        self.0.group.abort_one(&self.0, true);
    }

    /// Returns how the child ended; `None` while it is alive.
    ///
    /// It is never [`Abandoned`](Outcome::Abandoned). A child that [returns a
    /// value](crate::Children::run) has [`Completed`](Outcome::Completed), whatever the value is.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome()
    }

    /// Waits until the child has ended, and returns its outcome. By then its future is dropped and
    /// its last [`Hold`](task_core::Hold) released. Any number of callers may wait.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: it can be dropped and called again at any time.
    pub async fn ended(&self) -> Outcome {
        self.0.stage.reached(Stage::Ended).await;
        // Set before the stage is.
        self.0.outcome().unwrap_or(Outcome::Aborted)
    }
}

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildHandle").field(&self.name()).field(&self.outcome()).finish()
    }
}

/// A child that returns a value: a future of that value, or of the reason why there is none.
/// Returned by [`Children::run`](crate::Children::run).
///
/// It resolves when the child's future has ended. Dropped, it detaches the child, which runs on:
/// its value is dropped then, and a panic is a failure of the child like any other.
///
/// # Cancel safety
///
/// Awaited by reference (`(&mut child).await`) it is cancel safe: no value is lost. After it has
/// resolved it must not be polled again.
///
/// # Panics
///
/// If it is polled after it has resolved.
#[must_use = "dropped, it detaches the child, whose value is lost"]
pub struct Child<T> {
    child: Arc<Member>,
    join: JoinHandle<Option<T>>,
    is_over: bool,
}

impl<T> Child<T> {
    pub(crate) fn new(child: Arc<Member>, join: JoinHandle<Option<T>>) -> Self {
        Self { child, join, is_over: false }
    }

    /// Returns the child's name.
    pub fn name(&self) -> &str {
        &self.child.name
    }

    /// Returns a handle to the child, which can be kept elsewhere.
    pub fn handle(&self) -> ChildHandle {
        ChildHandle(Arc::clone(&self.child))
    }

    /// Aborts the child, as [`ChildHandle::abort`] does. If it had no value by then, this resolves
    /// with an error that [is aborted](ChildError::is_aborted).
    pub fn abort(&self) {
        self.child.group.abort_one(&self.child, true);
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.join).poll(cx));
        self.is_over = true;
        Poll::Ready(match joined {
            Ok(Some(value)) => Ok(value),
            // The drop of a future that is aborted may panic.
            Ok(None) | Err(_) => Err(ChildError {
                name: self.child.name.to_string(),
                what: self.child.take_panic().map_or(What::Aborted, What::Panicked),
            }),
        })
    }
}

impl<T> Drop for Child<T> {
    fn drop(&mut self) {
        if !self.is_over {
            self.child.detach();
        }
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.name()).finish()
    }
}
