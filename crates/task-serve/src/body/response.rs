//! The body of an answer, which ends its request.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::InFlight;

pin_project! {
    /// The body of a service, with the right to be in flight; or none, for an answer of our own.
    pub(crate) struct ResponseBody<B> {
        #[pin]
        body: Option<B>,
        // After the body, so that its drop ends the request.
        in_flight: Option<InFlight>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn new(body: B, mut in_flight: InFlight) -> Self {
        if body.is_end_stream() {
            in_flight.ended();
        }
        Self { body: Some(body), in_flight: Some(in_flight) }
    }

    /// Makes an empty body.
    pub(crate) fn empty(mut in_flight: InFlight) -> Self {
        in_flight.ended();
        Self { body: None, in_flight: Some(in_flight) }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let Some(in_flight) = this.in_flight else { return body.poll_frame(cx) };
        in_flight.asked();
        let polled = body.poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => in_flight.yielded(),
            Poll::Ready(None | Some(Err(_))) => in_flight.ended(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
