//! What is answered where.

use bytes::Bytes;
use http::{Request, Response};

#[cfg(feature = "tower")]
use crate::handlers::route::BoxError;
use crate::{
    config::{Endpoint, PathError},
    handlers::route::Route,
    task::HttpTask,
};

impl HttpTask {
    /// Moves an endpoint to another path; its other paths are gone. A slash at the end makes no difference. Default:
    /// see [`Endpoint`].
    ///
    /// # Errors
    ///
    /// If another endpoint or a route has the path, if a probe would get a route below it, or if it is none: it must
    /// begin with `/`, and may not have a query or anything that would have to be encoded.
    pub fn path(mut self, endpoint: Endpoint, path: impl AsRef<str>) -> Result<Self, PathError> {
        self.routes.replace(endpoint, path.as_ref())?;
        Ok(self)
    }

    /// Gives an endpoint one more path. Default: `/healthz` for [`Endpoint::Livez`].
    ///
    /// # Errors
    ///
    /// As [`path`](Self::path).
    pub fn also_path(
        mut self,
        endpoint: Endpoint,
        path: impl AsRef<str>,
    ) -> Result<Self, PathError> {
        self.routes.add(endpoint, path.as_ref())?;
        Ok(self)
    }

    /// Answers at a path of your own: with what `handler` makes of a request, whatever its method, except that the
    /// answer to `HEAD` has no body. A slash at the end of the path makes no difference.
    ///
    /// ```
    /// # use task_http::{HttpTask, http::Response};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let http = HttpTask::bind("127.0.0.1:0")?
    ///     .route("/version", async |_| Ok(Response::new(env!("CARGO_PKG_VERSION"))))?;
    /// # Ok(()) }
    /// ```
    ///
    /// An error or a panic of the handler is logged and answered with 500 and no more words. It has the
    /// [response time](crate::Limits::response_time) to answer, the body of the request has
    /// [a limit](crate::Limits::body_bytes), and all requests for routes together count as
    /// [scrapes](crate::Limits::scrapes). When the time is over or the task has stopped, its future is dropped. A client
    /// that has gone is noticed only once there is something to send to it: until then the handler runs on. Nothing is
    /// added to its headers but `Content-Length`, `Date` and, from the drain on, `Connection: close`. In metrics the
    /// path is the route's name.
    ///
    /// # Errors
    ///
    /// As [`path`](Self::path). What is below a probe's path is the probe's.
    pub fn route<F, Fut, B>(mut self, path: impl AsRef<str>, handler: F) -> Result<Self, PathError>
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<Response<B>>> + Send + 'static,
        B: Into<Bytes>,
    {
        self.routes.add_own(path.as_ref(), |path| Route::of_closure(path, handler))?;
        Ok(self)
    }

    /// Hands all requests for a path, and for everything below it that is nothing else, to a service, such as an axum
    /// router. It sees the whole path. At `/` it gets what would be not found otherwise; the list of endpoints stays
    /// where it is. Bodies may come and go in pieces; everything else is as for a [`route`](Self::route).
    ///
    /// It is cloned for each request, and the clone waited for until it is ready.
    ///
    /// # Errors
    ///
    /// As [`route`](Self::route).
    #[cfg(feature = "tower")]
    pub fn service<S, B>(mut self, path: impl AsRef<str>, service: S) -> Result<Self, PathError>
    where
        S: tower_service::Service<
                Request<crate::message::body::RequestBody>,
                Response = Response<B>,
            > + Clone
            + Send
            + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.routes.add_own(path.as_ref(), |path| {
            Route::of_service(path, crate::handlers::tower::calls(service))
        })?;
        Ok(self)
    }
}
