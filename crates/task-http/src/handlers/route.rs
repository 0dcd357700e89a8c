//! User routes: a closure or a service, and the responses to its failures.

use std::{fmt, pin::Pin};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use task_core::scope::guarded_text;
use task_listen::catch_panic;

use crate::{
    activity::Activity,
    message::{
        body::{BodyError, RequestBody, RouteBody},
        reply::Reply,
    },
};

/// The future of a handler.
pub(crate) type RouteFuture =
    Pin<Box<dyn Future<Output = anyhow::Result<Response<RouteBody>>> + Send>>;

/// A handler with the request that it gets.
pub(crate) type RouteCall<'a> = Box<dyn FnOnce() -> RouteFuture + Send + 'a>;

/// A route that the user has added.
pub(crate) struct Route {
    pub(crate) path: String,
    /// Whether the paths below this one belong to the route, too.
    pub(crate) has_children: bool,
    handler: Handler,
}

/// The function of a route, in the form that fits how it gets the body.
enum Handler {
    /// Gets the whole body at once.
    Closure(Box<dyn Fn(Request<Bytes>) -> RouteFuture + Send + Sync>),
    /// Gets the body as a stream.
    #[cfg(feature = "tower")]
    Service(Box<dyn Fn(Request<RequestBody>) -> RouteFuture + Send + Sync>),
}

impl Route {
    /// Makes a route of a closure.
    pub(crate) fn of_closure<F, Fut, B>(path: String, handler: F) -> Self
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<Response<B>>> + Send + 'static,
        B: Into<Bytes>,
    {
        let call = move |request| {
            let response = handler(request);
            Box::pin(async move { Ok(response.await?.map(|body| RouteBody::Whole(body.into()))) })
                as RouteFuture
        };
        Self { path, has_children: false, handler: Handler::Closure(Box::new(call)) }
    }

    /// Makes a route of a service. The paths below `path` belong to it.
    #[cfg(feature = "tower")]
    pub(crate) fn of_service(
        path: String,
        call: impl Fn(Request<RequestBody>) -> RouteFuture + Send + Sync + 'static,
    ) -> Self {
        Self { path, has_children: true, handler: Handler::Service(Box::new(call)) }
    }

    /// Waits for the part of a request that the handler needs to begin: all of it for a closure,
    /// the header for a service.
    pub(crate) async fn receive(
        &self,
        request: Request<RequestBody>,
        activity: &Activity,
    ) -> Result<RouteCall<'_>, Reply> {
        match &self.handler {
            Handler::Closure(call) => {
                let (parts, body) = request.into_parts();
                activity.body_awaited();
                let body = body.collect().await;
                activity.body_received();
                let request =
                    Request::from_parts(parts, body.map_err(|error| Reply::from(&error))?);
                Ok(Box::new(move || call(request)))
            }
            #[cfg(feature = "tower")]
            Handler::Service(call) => Ok(Box::new(move || call(request))),
        }
    }

    /// Calls the handler. An error or a panic is logged; the client gets no detail of it.
    pub(crate) async fn respond(&self, call: RouteCall<'_>) -> Result<Response<RouteBody>, Reply> {
        let called = catch_panic(|| {
            let response = call();
            // Formatting the error is user code, so it happens where a panic is caught.
            async move { response.await.map_err(|error| self.error_reply(&error)) }
        });
        called.await.unwrap_or_else(|_| {
            tracing::warn!(route = self.path.as_str(), "a route panicked");
            Err(failed())
        })
    }

    /// Returns the reply to an error of the handler, after logging it.
    fn error_reply(&self, error: &anyhow::Error) -> Reply {
        // A service that passes on the error of the request's body gets the response to it.
        if let Some(error) = error.downcast_ref::<BodyError>() {
            return Reply::from(error);
        }
        let route = self.path.as_str();
        tracing::warn!(route, error = guarded_text(format_args!("{error:#}")), "a route failed");
        failed()
    }
}

/// Returns the reply to a failure, without details.
fn failed() -> Reply {
    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the route failed\n")
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}
