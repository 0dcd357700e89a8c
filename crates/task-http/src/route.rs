//! Routes of the user's own: what answers there, and what becomes of its failures.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;

use crate::{BodyError, RequestBody, caught::caught, reply::Reply};

/// The body of a route's answer.
pub(crate) type RouteBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
/// What a route makes of a request.
pub(crate) type RouteFuture =
    Pin<Box<dyn Future<Output = anyhow::Result<Response<RouteAnswer>>> + Send>>;

/// The body of an answer, in one piece or in many.
pub(crate) enum RouteAnswer {
    Whole(Bytes),
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only services stream"))]
    Streamed(RouteBody),
}

/// One route.
pub(crate) struct Route {
    pub(crate) path: String,
    /// Whether everything below the path is its own too.
    pub(crate) has_children: bool,
    call: Box<dyn Fn(Request<RequestBody>) -> RouteFuture + Send + Sync>,
}

impl Route {
    /// Makes a route of a closure, which gets the whole body at once.
    pub(crate) fn of_closure<F, Fut, B>(path: String, handler: F) -> Self
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<Response<B>>> + Send + 'static,
        B: Into<Bytes>,
    {
        let handler = Arc::new(handler);
        let call = move |request: Request<RequestBody>| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?;
                let response = handler(Request::from_parts(parts, body)).await?;
                Ok(response.map(|body| RouteAnswer::Whole(body.into())))
            }) as RouteFuture
        };
        Self { path, has_children: false, call: Box::new(call) }
    }

    /// Makes a route of a service, which gets everything below the path.
    #[cfg(feature = "tower")]
    pub(crate) fn of_service(
        path: String,
        call: impl Fn(Request<RequestBody>) -> RouteFuture + Send + Sync + 'static,
    ) -> Self {
        Self { path, has_children: true, call: Box::new(call) }
    }

    /// Answers a request. An error or a panic is logged, and the client is told no more than that.
    pub(crate) async fn answer(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<RouteAnswer>, Reply> {
        let route = self.path.as_str();
        match caught(|| (self.call)(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => match error.downcast_ref::<BodyError>() {
                Some(error) if error.is_too_large() => {
                    Err(Reply::text(StatusCode::PAYLOAD_TOO_LARGE, format!("{error}\n")))
                }
                Some(error) => Err(Reply::text(StatusCode::BAD_REQUEST, format!("{error}\n"))),
                None => {
                    tracing::warn!(route, error = format!("{error:#}"), "a route failed");
                    Err(Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the route failed\n"))
                }
            },
            Err(_) => {
                tracing::warn!(route, "a route panicked");
                Err(Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the route failed\n"))
            }
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}
