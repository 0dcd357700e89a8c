//! The endpoints, and what a path leads to.

use std::fmt;

/// An endpoint of the server.
///
/// Each has a default path, which [`HttpTaskBuilder::path`](crate::HttpTaskBuilder::path) changes.
/// See the [crate's documentation](crate#endpoints) for what each one returns.
///
/// # Examples
///
/// ```
/// use task_http::{Endpoint, HttpTask};
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// let http = HttpTask::builder()
///     .path(Endpoint::Metrics, "/internal/metrics")
///     .also_path(Endpoint::Readyz, "/ready")
///     .bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The list of endpoints. Default: `/`.
    Index,
    /// Metrics. Default: `/metrics`.
    Metrics,
    /// Liveness: whether the process works. Default: `/livez` and `/healthz`.
    Livez,
    /// Readiness: whether the service should get traffic. Default: `/readyz`.
    Readyz,
    /// Startup: whether the service has ever been ready. Default: `/startupz`.
    Startupz,
    /// The task table. Default: `/tasks`.
    Tasks,
}

impl Endpoint {
    /// The probes, for [`HttpListener::only`](crate::HttpListener::only) and
    /// [`HttpListener::without`](crate::HttpListener::without).
    pub const PROBES: [Self; 3] = [Self::Livez, Self::Readyz, Self::Startupz];

    /// All endpoints, in the order of the counters in `stats`.
    pub(crate) const ALL: [Self; 6] =
        [Self::Index, Self::Metrics, Self::Livez, Self::Readyz, Self::Startupz, Self::Tasks];

    /// Returns the name of the endpoint in metrics, such as `livez`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Metrics => "metrics",
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Startupz => "startupz",
            Self::Tasks => "tasks",
        }
    }

    /// Returns the position in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Index => 0,
            Self::Metrics => 1,
            Self::Livez => 2,
            Self::Readyz => 3,
            Self::Startupz => 4,
            Self::Tasks => 5,
        }
    }

    /// Returns the line of the list of endpoints.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Self::Index => "this list",
            Self::Metrics => "metrics, for Prometheus",
            Self::Livez => "liveness: does the process work?",
            Self::Readyz => "readiness: should it get traffic? (?verbose, ?exclude=NAME, /NAME)",
            Self::Startupz => "startup: has it ever been ready?",
            Self::Tasks => "the tasks, as a page or as JSON (?format=json)",
        }
    }

    /// Returns whether this is a probe. The paths below that of a probe belong to it:
    /// `/readyz/NAME`.
    pub(crate) const fn is_probe(self) -> bool {
        match self {
            Self::Livez | Self::Readyz | Self::Startupz => true,
            Self::Index | Self::Metrics | Self::Tasks => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// By the position in [`Endpoint::ALL`].
    endpoints: [bool; Endpoint::ALL.len()],
    routes: bool,
}

impl Served {
    /// Every endpoint and every user route.
    pub(crate) const ALL: Self = Self { endpoints: [true; Endpoint::ALL.len()], routes: true };

    /// No endpoint and no user route.
    pub(crate) const NOTHING: Self =
        Self { endpoints: [false; Endpoint::ALL.len()], routes: false };

    /// Adds or removes endpoints.
    pub(crate) fn set(
        mut self,
        endpoints: impl IntoIterator<Item = Endpoint>,
        is_served: bool,
    ) -> Self {
        for endpoint in endpoints {
            self.endpoints[endpoint.index()] = is_served;
        }
        self
    }

    /// Returns whether an endpoint is served.
    pub(crate) fn has(self, endpoint: Endpoint) -> bool {
        self.endpoints[endpoint.index()]
    }

    /// Returns whether user routes are served.
    pub(crate) fn has_routes(self) -> bool {
        self.routes
    }

    /// Returns what a path leads to here: nothing, if that is not served.
    pub(crate) fn filter(self, found: Found<'_>) -> Found<'_> {
        let is_served = match found {
            Found::Endpoint(endpoint, _) => self.has(endpoint),
            Found::Route(_) => self.routes,
            Found::Nothing => true,
        };
        if is_served { found } else { Found::Nothing }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = Endpoint::ALL.into_iter().filter(|endpoint| self.has(*endpoint));
        let names = endpoints.map(Endpoint::as_str).chain(self.routes.then_some("routes"));
        for (index, name) in names.enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// An endpoint, with the rest of the path: `NAME` of `/readyz/NAME`, still percent-encoded.
    Endpoint(Endpoint, Option<&'a str>),
    /// A user route, by its index.
    Route(usize),
    /// Nothing.
    Nothing,
}

impl Found<'_> {
    /// Returns the endpoint; `None` for a user route and for nothing.
    pub(crate) fn endpoint(self) -> Option<Endpoint> {
        match self {
            Self::Endpoint(endpoint, _) => Some(endpoint),
            Self::Route(_) | Self::Nothing => None,
        }
    }
}
