//! The future that is spawned for each child. It judges how the child ended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use task_core::scope::{catch, discard};

use crate::member::{End, Member};

/// What becomes of what the future returned: an end, and a value for who waits.
pub(crate) type Judge<T, R> = fn(&Member, T) -> (End, R);

pin_project! {
    /// Polls a child, and ends it: by return, by panic, by abort, or with its runtime.
    pub(crate) struct Managed<F, R>
    where
        F: Future,
    {
        child: Arc<Member>,
        // Taken when it has ended.
        #[pin]
        future: Option<F>,
        judge: Judge<F::Output, R>,
    }

    impl<F, R> PinnedDrop for Managed<F, R>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.future.is_some() {
                finish(this.child, this.future, End::Aborted);
            }
        }
    }
}

impl<F: Future, R> Managed<F, R> {
    pub(crate) fn new(child: Arc<Member>, future: F, judge: Judge<F::Output, R>) -> Self {
        Self { child, future: Some(future), judge }
    }
}

impl<F: Future, R> Future for Managed<F, R> {
    /// `None` if the child panicked.
    type Output = Option<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let polled = this.child.enter(|| catch(|| future.poll(cx)));
        let (end, value) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => {
                let (end, value) = (this.judge)(this.child, output);
                (end, Some(value))
            }
            Err(panic) => (End::Panicked(panic), None),
        };
        let is_panicked = finish(this.child, this.future, end);
        if is_panicked {
            discard(value);
            return Poll::Ready(None);
        }
        Poll::Ready(value)
    }
}

/// Drops the future, and then records the end. A panic of the drop is the end, or recorded beside a
/// failure. Returns whether it panicked.
fn finish<F>(child: &Arc<Member>, mut future: Pin<&mut Option<F>>, mut end: End) -> bool {
    let dropped = child.enter(|| catch(|| future.set(None)));
    let is_panicked = dropped.is_err();
    if let Err(panic) = dropped {
        match end {
            End::Completed | End::Cancelled | End::Aborted => end = End::Panicked(panic),
            End::Failed(_) | End::Panicked(_) => child.failed_beside(panic),
        }
    }
    child.future_ended(end);
    is_panicked
}
