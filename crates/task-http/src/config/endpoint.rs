//! The endpoints, and what a path leads to.

use std::fmt;

/// What the server answers, each at its path. See the [crate's documentation](crate#endpoints).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The list of endpoints: `/`.
    Index,
    /// `/metrics`.
    Metrics,
    /// `/livez`, also at `/healthz`.
    Livez,
    /// `/readyz`.
    Readyz,
    /// `/startupz`.
    Startupz,
    /// `/tasks`.
    Tasks,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 6] =
        [Self::Index, Self::Metrics, Self::Livez, Self::Readyz, Self::Startupz, Self::Tasks];

    /// Returns the word used in metrics.
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

    /// What it is for, in the list of endpoints.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Self::Index => "this list",
            Self::Metrics => "metrics, for Prometheus",
            Self::Livez => "liveness: does the process answer?",
            Self::Readyz => "readiness: should it get traffic? (?verbose, ?exclude=NAME, /NAME)",
            Self::Startupz => "startup: has it ever been ready?",
            Self::Tasks => "the tasks, as a page or as JSON (?format=json)",
        }
    }

    pub(crate) const fn has_children(self) -> bool {
        matches!(self, Self::Livez | Self::Readyz | Self::Startupz)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// To an endpoint; with what follows its path: `NAME` of `/readyz/NAME`, still encoded.
    Endpoint(Endpoint, Option<&'a str>),
    /// To a route of the user's own, by its number.
    Own(usize),
    Nothing,
}

impl Found<'_> {
    pub(crate) fn endpoint(self) -> Option<Endpoint> {
        match self {
            Self::Endpoint(endpoint, _) => Some(endpoint),
            Self::Own(_) | Self::Nothing => None,
        }
    }
}
