//! Routes of the user's own: what answers there, and what becomes of its failures.

use std::{error::Error, fmt, pin::Pin};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;

use crate::{
    activity::Activity,
    caught::caught,
    config::BodyError,
    message::{body::RequestBody, reply::Reply},
};

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
    handler: Handler,
}

/// What answers.
enum Handler {
    /// It gets the whole body at once.
    Closure(Box<dyn Fn(Request<Bytes>) -> RouteFuture + Send + Sync>),
    /// It gets the body as it comes.
    #[cfg(feature = "tower")]
    Service(Box<dyn Fn(Request<RequestBody>) -> RouteFuture + Send + Sync>),
}

/// A handler with all that it needs to begin.
pub(crate) type RouteCall<'a> = Box<dyn FnOnce() -> RouteFuture + Send + 'a>;

impl Route {
    /// Makes a route of a closure.
    pub(crate) fn of_closure<F, Fut, B>(path: String, handler: F) -> Self
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<Response<B>>> + Send + 'static,
        B: Into<Bytes>,
    {
        let call = move |request| {
            let answer = handler(request);
            Box::pin(async move { Ok(answer.await?.map(|body| RouteAnswer::Whole(body.into()))) })
                as RouteFuture
        };
        Self { path, has_children: false, handler: Handler::Closure(Box::new(call)) }
    }

    /// Makes a route of a service, which gets everything below the path.
    #[cfg(feature = "tower")]
    pub(crate) fn of_service(
        path: String,
        call: impl Fn(Request<RequestBody>) -> RouteFuture + Send + Sync + 'static,
    ) -> Self {
        Self { path, has_children: true, handler: Handler::Service(Box::new(call)) }
    }

    /// Waits for as much of a request as the handler gets at once.
    pub(crate) async fn receive(
        &self,
        request: Request<RequestBody>,
        activity: &Activity,
    ) -> Result<RouteCall<'_>, Reply> {
        match &self.handler {
            Handler::Closure(call) => {
                let (parts, body) = request.into_parts();
                activity.awaits_body();
                let body = body.collect().await;
                activity.has_body();
                let request = Request::from_parts(parts, body.map_err(|error| refused(&error))?);
                Ok(Box::new(move || call(request)))
            }
            #[cfg(feature = "tower")]
            Handler::Service(call) => Ok(Box::new(move || call(request))),
        }
    }

    /// Answers what was received. An error or a panic is logged, and the client is told no more than that.
    pub(crate) async fn answer(&self, call: RouteCall<'_>) -> Result<Response<RouteAnswer>, Reply> {
        let answered = caught(|| {
            let answer = call();
            // What an error says is the user's code too.
            async move { answer.await.map_err(|error| self.failed(&error)) }
        });
        answered.await.unwrap_or_else(|_| {
            tracing::warn!(route = self.path.as_str(), "a route panicked");
            Err(Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the route failed\n"))
        })
    }

    fn failed(&self, error: &anyhow::Error) -> Reply {
        if let Some(error) = error.downcast_ref() {
            return refused(error);
        }
        let route = self.path.as_str();
        tracing::warn!(route, error = format!("{error:#}"), "a route failed");
        Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the route failed\n")
    }
}

/// The answer to a request whose body did not come as a whole.
fn refused(error: &BodyError) -> Reply {
    let is_too_large = error.is_too_large();
    let status = if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
    Reply::text(status, format!("{error}\n"))
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}
