//! The parent token: feature `token`.
//!
//! It is watched by a waker in the token's own list, so the thread that cancels the token stops the
//! group, and needs no runtime to do so. A token calls its wakers outside of its locks.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use task_core::scope::{catch, discard};

use super::Shared;
use crate::lifecycle::Trigger;

impl Shared {
    /// Stops the group if the parent token is cancelled. Admission looks as well: the token may
    /// have other wakers to call first, and loses those behind one that panics.
    pub(crate) fn check_parent(self: &Arc<Self>) {
        if self.settings.parent.as_ref().is_some_and(|parent| parent.is_cancelled()) {
            self.follow(Trigger::Plain, None, None);
        }
    }

    /// Watches the parent token until the group has ended, or is dropped.
    pub(crate) fn watch_parent(self: &Arc<Self>) {
        let Some(parent) = self.settings.parent.clone() else { return };
        let waker = Waker::from(Arc::new(Follows(Arc::downgrade(self))));
        let mut cancelled = Box::pin(parent.cancelled_owned());
        match cancelled.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => self.check_parent(),
            // Polled once and never again: the token wakes it for nothing but its cancellation, and
            // has the waker in its list for as long as this exists.
            Poll::Pending => self.lock().parent_watch = Some(Box::new(cancelled)),
        }
    }
}

// They run on Tokio itself, which shuttle replaces.
#[cfg(all(test, not(task_shuttle)))]
mod tests;

/// Has the group follow its parent token, on the thread that cancels that.
struct Follows(Weak<Shared>);

impl Wake for Follows {
    fn wake(self: Arc<Self>) {
        let Some(group) = self.0.upgrade() else { return };
        // A panic would leave the token's other wakers uncalled. The reference may be the last one.
        let _ = catch(|| group.check_parent());
        discard(group);
    }
}
