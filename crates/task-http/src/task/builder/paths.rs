//! The paths of endpoints and user routes.

use bytes::Bytes;
use http::{Request, Response};

use super::HttpTaskBuilder;
#[cfg(feature = "tower")]
use crate::message::body::{BoxError, RequestBody};
use crate::{config::Endpoint, handlers::route::Route};

impl HttpTaskBuilder {
    /// Moves an endpoint to another path. Its other paths are removed. Default: see [`Endpoint`].
    ///
    /// A path begins with `/`, and has no query and no character that would have to be encoded. A
    /// slash at its end makes no difference. Building the task fails if the path is malformed, if
    /// another endpoint or a route has it, or if a route would come to lie below a probe.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{Endpoint, HttpTask};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder()
    ///     .path(Endpoint::Metrics, "/internal/metrics")
    ///     .path(Endpoint::Index, "/internal")
    ///     .bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    pub fn path(mut self, endpoint: Endpoint, path: impl AsRef<str>) -> Self {
        let result = self.routes.replace(endpoint, path.as_ref());
        self.record(result);
        self
    }

    /// Adds a path to an endpoint, under the rules of [`path`](Self::path). Default: `/healthz` for
    /// [`Endpoint::Livez`].
    ///
    /// In metrics, all paths of an endpoint have the same label.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{Endpoint, HttpTask};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder().also_path(Endpoint::Readyz, "/ready").bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    pub fn also_path(mut self, endpoint: Endpoint, path: impl AsRef<str>) -> Self {
        let result = self.routes.add(endpoint, path.as_ref());
        self.record(result);
        self
    }

    /// Adds a route: requests for `path` go to `handler`, whatever their method. Default: none.
    ///
    /// The rules of [`path`](Self::path) hold. Paths below a probe belong to the probe, so a route
    /// cannot have one.
    ///
    /// # The response
    ///
    /// The response is sent as the handler returns it, with `Content-Length`, `Date` and, from the
    /// drain on, `Connection: close` added. The response to `HEAD` is sent without its body. If the
    /// handler returns an error or panics, this is logged, and the client gets 500 without details.
    ///
    /// # Limits
    ///
    /// - The body of the request has [a limit](crate::Limits::body_bytes); a larger one gets 413.
    /// - All requests to routes together count as [scrapes](crate::Limits::scrapes); one more gets
    ///   503.
    /// - The handler has the [response timeout](crate::Limits::response_timeout). After that, or
    ///   when the task has stopped, its future is dropped with the connection.
    ///
    /// A client that disconnects is noticed when something is sent to it: until then the handler
    /// runs on. In metrics, the path is the label `route`.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{HttpTask, http::Response};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder()
    ///     .route("/version", async |_| Ok(Response::new(env!("CARGO_PKG_VERSION"))))
    ///     .route("/echo", async |request| Ok(Response::new(request.into_body())))
    ///     .bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    pub fn route<F, Fut, B>(mut self, path: impl AsRef<str>, handler: F) -> Self
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<Response<B>>> + Send + 'static,
        B: Into<Bytes>,
    {
        let make = |path| Route::of_closure(path, handler);
        let result = self.routes.add_route(path.as_ref(), make);
        self.record(result);
        self
    }

    /// Adds a service, such as an axum router, for a path and for the paths below it that lead to
    /// nothing else. Default: none.
    ///
    /// The service sees the whole path. At `/`, it gets the requests that would not be found
    /// otherwise; the list of endpoints stays at `/` itself. Bodies are streamed in both
    /// directions. All else is as for a [`route`](Self::route), with the same rules and limits.
    ///
    /// The service is cloned for each request, and the clone is called once it is ready. An error
    /// of the service gets 500 without details; if it is the [`BodyError`](crate::BodyError) of the
    /// request, 413 or 400.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{
    ///     convert::Infallible,
    ///     future::{Ready, ready},
    ///     task::{Context, Poll},
    /// };
    ///
    /// use task_http::{
    ///     HttpTask, RequestBody,
    ///     http::{Request, Response},
    /// };
    ///
    /// // In practice an `axum::Router`; here by hand.
    /// #[derive(Clone)]
    /// struct Admin;
    ///
    /// impl tower_service::Service<Request<RequestBody>> for Admin {
    ///     type Response = Response<RequestBody>;
    ///     type Error = Infallible;
    ///     type Future = Ready<Result<Self::Response, Infallible>>;
    ///
    ///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
    ///         Poll::Ready(Ok(()))
    ///     }
    ///
    ///     fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
    ///         ready(Ok(Response::new(request.into_body())))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder().service("/admin", Admin).bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tower")]
    pub fn service<S, B>(mut self, path: impl AsRef<str>, service: S) -> Self
    where
        S: tower_service::Service<Request<RequestBody>, Response = Response<B>>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let make = |path| Route::of_service(path, crate::handlers::tower::handler(service));
        let result = self.routes.add_route(path.as_ref(), make);
        self.record(result);
        self
    }
}
