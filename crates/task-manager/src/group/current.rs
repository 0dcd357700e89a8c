//! Which task's code runs on this thread: for recognising a `wait` from inside, and a panic in
//! managed code.

use std::cell::Cell;
use std::sync::Arc;

use super::{Entry, Shared};
use crate::sync::thread_local;

thread_local! {
    static CURRENT: Cell<Option<Arc<Entry>>> = const { Cell::new(None) };
}

/// Runs `body` with `entry` as the current task. The reference is lent and comes back, since this
/// is the poll path and a clone per poll would cost.
pub(crate) fn enter<R>(entry: &mut Option<Arc<Entry>>, body: impl FnOnce() -> R) -> R {
    /// Puts things back even if `body` unwinds.
    struct Restore<'a>(&'a mut Option<Arc<Entry>>);
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            swap(self.0);
        }
    }
    swap(entry);
    let restore = Restore(entry);
    let result = body();
    drop(restore);
    result
}

/// Returns the manager whose task, cleanup or blocking thread this is.
pub(crate) fn group() -> Option<Arc<Shared>> {
    look(|entry| Arc::clone(&entry.shared))
}

/// Returns the task, cleanup or blocking thread that this is.
pub(crate) fn entry() -> Option<Arc<Entry>> {
    look(Arc::clone)
}

/// Returns whether this thread runs code of any manager.
pub(crate) fn is_managed() -> bool {
    look(|_| ()).is_some()
}

fn look<R>(at: impl FnOnce(&Arc<Entry>) -> R) -> Option<R> {
    let seen = CURRENT.try_with(|current| {
        let entry = current.take();
        let seen = entry.as_ref().map(at);
        current.set(entry);
        seen
    });
    seen.ok().flatten()
}

fn swap(other: &mut Option<Arc<Entry>>) {
    // Fails only while the thread is being torn down, when nothing reads it any more.
    let _ = CURRENT.try_with(|current| *other = current.replace(other.take()));
}
