//! A `tower::Service` as the handler of a route.
//!
//! A service is driven as tower requires: a clone for each request, `poll_ready` until it is ready,
//! then one `call`. Its error becomes an `anyhow::Error`, and the error of its response body a
//! boxed one, so that the router needs no type parameters.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::{
    handlers::route::RouteFuture,
    message::body::{BoxError, RequestBody, RouteBody},
};

/// Makes the handler of a route from a service.
pub(crate) fn handler<S, B>(
    service: S,
) -> impl Fn(Request<RequestBody>) -> RouteFuture + Send + Sync
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // A lock, since many services are not `Sync`. It is held while the service is cloned.
    let service = Mutex::new(service);
    move |request| {
        let mut service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let failed = |error: S::Error| anyhow::Error::from_boxed(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
            let response = service.call(request).await.map_err(failed)?;
            Ok(response.map(|body| RouteBody::Streamed(Box::pin(Boxed(Box::pin(body))))))
        })
    }
}

/// A body whose error is boxed.
struct Boxed<B>(Pin<Box<B>>);

impl<B> Body for Boxed<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
