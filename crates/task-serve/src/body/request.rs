//! The body of a request, whose sender may not stall.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

/// The body of a request, as a service gets it.
///
/// It implements [`http_body::Body`] and yields the data and the trailers as the client sends them.
/// Its size is not limited here; axum for one has a limit of its own.
///
/// # Errors
///
/// Reading fails with a [`BodyError`] if the client sends nothing for the
/// [body timeout](crate::Limits::body_timeout) while the body is waited for, or when the connection
/// ends before the body does.
///
/// # Cancel safety
///
/// Polling for a frame is cancel safe: a frame that was not returned is returned by the next poll.
pub struct RequestBody {
    incoming: Incoming,
    timeout: Duration,
    /// While a frame is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    has_timed_out: bool,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, timeout: Duration) -> Self {
        Self { incoming, timeout, timer: None, has_timed_out: false }
    }

    /// Returns hyper's body, which has no time limit.
    pub fn into_inner(self) -> Incoming {
        self.incoming
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.has_timed_out {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Kind::Io(error).into())));
        }
        let timeout = this.timeout;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.has_timed_out = true;
        Poll::Ready(Some(Err(Kind::Timeout(timeout).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.has_timed_out || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The error of a [`RequestBody`]: the client has stalled, or the body did not arrive in full.
///
/// The kind is private; [`is_timeout`](Self::is_timeout) distinguishes the two cases. In the second
/// case, the source is the error of the connection.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("the client sent nothing of the body for {0:?}")]
    Timeout(Duration),
    #[error("the body of the request is incomplete")]
    Io(#[source] hyper::Error),
}

impl BodyError {
    /// Returns whether the client sent nothing for the [body timeout](crate::Limits::body_timeout).
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Kind::Timeout(_))
    }
}
