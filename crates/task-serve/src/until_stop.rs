//! A stream that ends with the server.

use std::{
    fmt,
    pin::Pin,
    task::{Context as PollContext, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;
use task_core::{Context, WaitForOwned};

pin_project! {
    /// A stream that ends when its task is asked to stop. Made by [`until_stop`].
    #[must_use = "streams do nothing unless polled"]
    pub struct UntilStop<S> {
        #[pin]
        stream: S,
        #[pin]
        cancelled: WaitForOwned,
    }
}

/// Ends a stream when the task of `ctx` is asked to stop: for answers without an end, such as
/// server-sent events, which would otherwise be cut.
///
/// The context of the server is in the extensions of each request. While the group drains, the
/// stream goes on: a client that connects again would come back to the server that it has left.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
///
/// use futures_core::Stream;
/// use task_core::Context;
/// use task_serve::until_stop;
///
/// fn events<S>(ctx: &Context, prices: S) -> impl Stream<Item = u64> + use<S>
/// where
///     S: Stream<Item = u64>,
/// {
///     until_stop(ctx, prices)
/// }
/// ```
pub fn until_stop<S: Stream>(ctx: &Context, stream: S) -> UntilStop<S> {
    UntilStop { stream, cancelled: ctx.cancelled_owned() }
}

impl<S: Stream> Stream for UntilStop<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if this.cancelled.poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        this.stream.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.stream.size_hint().1)
    }
}

impl<S> fmt::Debug for UntilStop<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilStop").finish_non_exhaustive()
    }
}
