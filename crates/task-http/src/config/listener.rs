//! A listener with what it serves.

use task_listen::{BoundAddress, Listener};

use crate::config::{Endpoint, Served};

/// A [`Listener`] with the endpoints that are served on it, for
/// [`HttpTaskBuilder::listener`](crate::HttpTaskBuilder::listener). A plain listener serves
/// everything.
///
/// # Examples
///
/// Probes for the kubelet on every address, metrics on one address, and the rest on loopback:
///
/// ```
/// use task_http::{Endpoint, HttpListener, HttpTask, ListenOptions};
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// # let [probes, metrics] = ["127.0.0.1:0"; 2];
/// let options = ListenOptions::default();
/// let [probes, metrics] = [options.bind(probes)?, options.bind(metrics)?];
/// let http = HttpTask::builder()
///     .listener(HttpListener::from(probes).only(Endpoint::PROBES))
///     .listener(HttpListener::from(metrics).only([Endpoint::Metrics]))
///     .bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping it frees the address"]
pub struct HttpListener {
    pub(crate) listener: Listener,
    pub(crate) served: Served,
}

impl HttpListener {
    /// Returns the address, with the real port where port 0 was asked for.
    pub fn address(&self) -> &BoundAddress {
        self.listener.address()
    }

    /// Serves these endpoints here, and nothing else. Default: every endpoint and every user route.
    ///
    /// What a listener does not serve is not found: its path gets the response of a path that leads
    /// nowhere, which is 404 to a client that may read it. Building the task fails if nothing is
    /// left.
    pub fn only(self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { served: Served::NOTHING.set(endpoints, true), ..self }
    }

    /// Does not serve these endpoints here, and everything else that it served. Default: every
    /// endpoint and every user route is served.
    ///
    /// # Examples
    ///
    /// Routes and probes, and nothing about the inside:
    ///
    /// ```
    /// use task_http::{Endpoint, HttpListener, HttpTask, ListenOptions, http::Response};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let inside = [Endpoint::Index, Endpoint::Metrics, Endpoint::Tasks];
    /// let listener = ListenOptions::default().bind("127.0.0.1:0")?;
    /// let http = HttpTask::builder()
    ///     .route("/orders", async |_| Ok(Response::new("none")))
    ///     .listener(HttpListener::from(listener).without(inside))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn without(self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { served: self.served.set(endpoints, false), ..self }
    }
}

impl From<Listener> for HttpListener {
    fn from(listener: Listener) -> Self {
        Self { listener, served: Served::ALL }
    }
}
