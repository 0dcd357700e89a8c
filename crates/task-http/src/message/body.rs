//! The body of a request to a route: bounded, in pieces or as a whole.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::config::BodyError;

/// The body of a request, as `HttpTask::service` (feature `tower`) hands it on. It fails once it has more
/// bytes than [`Limits::body_bytes`](crate::Limits::body_bytes).
pub struct RequestBody {
    incoming: Incoming,
    limit: usize,
    read: usize,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, limit: usize) -> Self {
        Self { incoming, limit, read: 0 }
    }

    /// Reads it to its end.
    pub(crate) async fn collect(mut self) -> Result<Bytes, BodyError> {
        // What is announced as too large is not waited for.
        if self.incoming.size_hint().lower() > self.limit as u64 {
            return Err(BodyError::too_large(self.limit));
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            if let Ok(data) = frame?.into_data() {
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.freeze())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::cut_short(error)))),
            Some(Ok(frame)) => frame,
        };
        self.read += frame.data_ref().map_or(0, Bytes::len);
        if self.read > self.limit {
            return Poll::Ready(Some(Err(BodyError::too_large(self.limit))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("limit", &self.limit).finish_non_exhaustive()
    }
}
