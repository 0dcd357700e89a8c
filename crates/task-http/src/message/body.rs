//! The bodies of requests and responses.
//!
//! A request body is bounded: it is read as a stream by services ([`RequestBody`]) or collected for
//! closures. A response body is one piece of bytes, or a stream from a service.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{activity::Activity, stats::ScrapePermit};

/// The body of a request to a service, see `HttpTaskBuilder::service` (feature `tower`).
///
/// It implements [`http_body::Body`] and yields the data and the trailers as the client sends them.
///
/// # Errors
///
/// Reading fails with a [`BodyError`] once the body has more bytes than
/// [`Limits::body_bytes`](crate::Limits::body_bytes), or when the connection ends before the body
/// does. A handler that returns this error as its own gets the fitting response sent: 413 or 400.
///
/// # Cancel safety
///
/// Polling for a frame is cancel safe: a frame that was not returned is returned by the next poll.
///
/// # Examples
///
/// A handler that counts the bytes of a body without collecting them:
///
/// ```
/// use std::{future::poll_fn, pin::Pin};
///
/// use http_body::Body;
/// use task_http::{BodyError, RequestBody};
///
/// async fn length(mut body: RequestBody) -> Result<usize, BodyError> {
///     let mut length = 0;
///     while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
///         length += frame?.data_ref().map_or(0, |data| data.len());
///     }
///     Ok(length)
/// }
/// ```
pub struct RequestBody {
    incoming: Incoming,
    limit: usize,
    read: usize,
}

impl RequestBody {
    /// Makes a body that fails once more than `limit` bytes were read.
    pub(crate) fn new(incoming: Incoming, limit: usize) -> Self {
        Self { incoming, limit, read: 0 }
    }

    /// Reads the body to its end.
    pub(crate) async fn collect(mut self) -> Result<Bytes, BodyError> {
        // A `Content-Length` above the limit is refused before the client sends the bytes.
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
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::incomplete(error)))),
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

/// The error of a [`RequestBody`]: it has too many bytes, or did not arrive in full.
///
/// The kind is private; [`is_too_large`](Self::is_too_large) distinguishes the two cases. In the
/// second case, the source is the error of the connection.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(BodyErrorKind);

impl BodyError {
    fn too_large(limit: usize) -> Self {
        Self(BodyErrorKind::TooLarge(limit))
    }

    fn incomplete(source: hyper::Error) -> Self {
        Self(BodyErrorKind::Incomplete(source))
    }

    /// Returns whether the body has more bytes than [the limit](crate::Limits::body_bytes).
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, BodyErrorKind::TooLarge(_))
    }
}

/// The kinds of a [`BodyError`], each with its message.
#[derive(Debug, thiserror::Error)]
enum BodyErrorKind {
    #[error("the request body has more than {0} bytes")]
    TooLarge(usize),
    #[error("the request body is incomplete")]
    Incomplete(#[source] hyper::Error),
}

/// The error of a service or of its response body.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A response body that a service streams.
pub(crate) type StreamedBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// The response body of a route, as its handler returned it.
pub(crate) enum RouteBody {
    Whole(Bytes),
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only services stream"))]
    Streamed(StreamedBody),
}

/// A response body as it is given to hyper.
///
/// hyper drops the body once its last byte is in the connection's write buffer. The drop is how
/// the connection's [`Activity`] learns that the response was buffered.
pub(crate) struct ResponseBody {
    content: Content,
    activity: Arc<Activity>,
    /// A streamed body holds its permit to its end.
    _permit: Option<ScrapePermit>,
}

/// The bytes of a response.
enum Content {
    /// `None` if the body is empty, or its bytes were taken.
    Whole(Option<Bytes>),
    Streamed(StreamedBody),
}

impl ResponseBody {
    /// Makes a body of one piece.
    pub(crate) fn whole(bytes: Bytes, activity: Arc<Activity>) -> Self {
        let content = Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()));
        Self { content, activity, _permit: None }
    }

    /// Makes the response body of a route.
    pub(crate) fn of_route(body: RouteBody, permit: ScrapePermit, activity: Arc<Activity>) -> Self {
        match body {
            RouteBody::Whole(bytes) => Self::whole(bytes, activity),
            RouteBody::Streamed(body) => {
                Self { content: Content::Streamed(body), activity, _permit: Some(permit) }
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Streamed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.activity.response_buffered();
    }
}
