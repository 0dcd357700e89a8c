//! The body of an answer, which ends its request.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::InFlight;

pin_project! {
    /// The body of a service, with the right to be in flight; or none, for an answer of our own.
    pub(crate) struct ResponseBody<B> {
        #[pin]
        body: Option<B>,
        in_flight: Option<Flight>,
    }
}

/// Who holds the right to be in flight.
enum Flight {
    /// The body alone: over HTTP/1.1 the connection knows when its buffer is flushed.
    OfBody(InFlight),
    /// Also each piece of data: over HTTP/2 they wait, one by one, for the client's window.
    OfPieces(Arc<InFlight>),
}

impl Flight {
    fn get(&self) -> &InFlight {
        match self {
            Self::OfBody(in_flight) => in_flight,
            Self::OfPieces(in_flight) => in_flight,
        }
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn new(body: B, in_flight: InFlight) -> Self {
        let in_flight = match in_flight.link().is_http2() {
            true => Flight::OfPieces(Arc::new(in_flight)),
            false => Flight::OfBody(in_flight),
        };
        Self { body: Some(body), in_flight: Some(in_flight) }
    }

    /// Makes an empty body.
    pub(crate) fn empty(in_flight: InFlight) -> Self {
        in_flight.ended();
        Self { body: None, in_flight: Some(Flight::OfBody(in_flight)) }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece<B::Data>>, B::Error>>> {
        let this = self.project();
        let (Some(mut body), Some(flight)) = (this.body.as_pin_mut(), this.in_flight) else {
            return Poll::Ready(None);
        };
        let in_flight = flight.get();
        // Only streams of HTTP/2 are looked through for those that stall: over HTTP/1.1 the
        // connection knows.
        let has_window = matches!(flight, Flight::OfPieces(_));
        if has_window {
            in_flight.asked();
        }
        let polled = body.as_mut().poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => {
                if has_window {
                    in_flight.yielded();
                }
                if body.is_end_stream() {
                    in_flight.ended();
                }
            }
            Poll::Ready(None | Some(Err(_))) => in_flight.ended(),
        }
        let flight = &*flight;
        let in_flight = || match flight {
            Flight::OfBody(_) => None,
            Flight::OfPieces(in_flight) => Some(Arc::clone(in_flight)),
        };
        polled.map_ok(|frame| frame.map_data(|data| Piece { data, in_flight: in_flight() }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A piece of a body. It is in flight until the client's window has had room for all of it.
pub(crate) struct Piece<D> {
    data: D,
    in_flight: Option<Arc<InFlight>>,
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        if let Some(in_flight) = &self.in_flight {
            in_flight.yielded();
        }
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.data.copy_to_bytes(length)
    }
}
