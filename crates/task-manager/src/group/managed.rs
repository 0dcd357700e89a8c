//! The future that is spawned for each task. It judges how the task ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use task_core::Cancelled;
use task_core::scope::{Stage, catch, discard};

use super::{Entry, current};
use crate::report::End;
use crate::threads::CallerRuntime;

/// The user's future, boxed once; the wrapper around it stays small, and tokio's task cell with it.
pub(crate) type UserFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Polls a task and judges how it ended: by return, by panic, by abort, or dropped with its
/// runtime.
pub(crate) struct Managed {
    /// Lent to the thread while the user's code runs, and held here otherwise.
    entry: Option<Arc<Entry>>,
    /// Taken when it has ended.
    future: Option<UserFuture>,
}

// Tokio's task cell is a multiple of 128 bytes: with this it is one of them, with one word more it
// is two.
const _: () = assert!(size_of::<Managed>() <= 3 * size_of::<usize>());

impl Managed {
    pub(crate) fn new(entry: Arc<Entry>, future: UserFuture) -> Self {
        Self { entry: Some(entry), future: Some(future) }
    }

    /// Invariant 7: the user's future is dropped before its end is recorded. A panic while it is
    /// dropped is not lost: it is the outcome, or recorded beside a failure that came before.
    fn finish(&mut self, mut end: End, caller: CallerRuntime) {
        let future = self.future.take();
        self.entry.iter().for_each(|entry| entry.running.begin_drop());
        let dropped = current::enter(&mut self.entry, || catch(|| drop(future)));
        let Some(entry) = &self.entry else { return };
        entry.running.end();
        if let Err(panic) = dropped {
            match end {
                End::Completed | End::Cancelled | End::Aborted => end = End::Panicked(panic),
                _ => entry.shared.panic_beside(entry, panic),
            }
        }
        entry.future_ended(end, caller);
    }
}

/// Judges what a poll returned. `Cancelled` counts only once the context was cancelled. Aborts are
/// judged by `poll` and `Drop`.
fn judge(entry: &Entry, result: anyhow::Result<()>) -> End {
    match result {
        Ok(()) => End::Completed,
        Err(error) => {
            let is_cancelled = entry.stage.get() >= Stage::Cancelled;
            if is_cancelled && Cancelled::is_outermost_in(&error) {
                discard(error);
                End::Cancelled
            } else {
                End::Failed(error)
            }
        }
    }
}

impl Future for Managed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let (Some(entry), Some(future)) = (&this.entry, &mut this.future) else {
            return Poll::Ready(());
        };
        let Some(is_first) = entry.mark_polled() else {
            // The report says that it was abandoned.
            let caller = entry.runtime;
            this.finish(End::Aborted, caller);
            return Poll::Ready(());
        };
        entry.running.begin_poll();
        let polled = current::enter(&mut this.entry, || catch(|| future.as_mut().poll(cx)));
        let Some(entry) = &this.entry else { return Poll::Ready(()) };
        entry.running.end();
        let end = match polled {
            // An abort before the first poll only set a flag, and takes effect here.
            Ok(Poll::Pending) if is_first && entry.is_abort_asked() => End::Aborted,
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => judge(entry, result),
            Err(panic) => End::Panicked(panic),
        };
        let caller = entry.runtime;
        this.finish(end, caller);
        Poll::Ready(())
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if self.future.is_some() {
            // By an abort, or with its runtime, from wherever that is dropped.
            self.finish(End::Aborted, CallerRuntime::Other);
        }
    }
}
