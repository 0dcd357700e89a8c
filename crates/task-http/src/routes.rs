//! Which path leads where.

use std::fmt;

use crate::error::{PathError, PathErrorKind};

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

    const fn has_children(self) -> bool {
        matches!(self, Self::Livez | Self::Readyz | Self::Startupz)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The paths of all endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<(String, Endpoint)>);

impl Routes {
    /// Finds the endpoint of a path, and what follows it (`NAME` of `/readyz/NAME`, still encoded).
    pub(crate) fn find<'a>(&self, path: &'a str) -> Option<(Endpoint, Option<&'a str>)> {
        let path = without_trailing_slash(path);
        if let Some((_, endpoint)) = self.0.iter().find(|(known, _)| known == path) {
            return Some((*endpoint, None));
        }
        self.0.iter().filter(|(_, endpoint)| endpoint.has_children()).find_map(
            |(known, endpoint)| {
                let child = path.strip_prefix(known.as_str())?.strip_prefix('/')?;
                Some((*endpoint, Some(child)))
            },
        )
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Endpoint)> {
        self.0.iter().map(|(path, endpoint)| (path.as_str(), *endpoint))
    }

    /// Replaces all paths of an endpoint by one.
    pub(crate) fn replace(&mut self, endpoint: Endpoint, path: &str) -> Result<(), PathError> {
        self.check(endpoint, path)?;
        self.0.retain(|(_, known)| *known != endpoint);
        self.add(endpoint, path)
    }

    /// Gives an endpoint one more path.
    pub(crate) fn add(&mut self, endpoint: Endpoint, path: &str) -> Result<(), PathError> {
        self.check(endpoint, path)?;
        let path = without_trailing_slash(path);
        if !self.0.iter().any(|(known, _)| known == path) {
            self.0.push((path.to_owned(), endpoint));
        }
        Ok(())
    }

    fn check(&self, endpoint: Endpoint, path: &str) -> Result<(), PathError> {
        let plain = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\"<>\\".contains(&byte));
        if !plain {
            return Err(PathErrorKind::Malformed(path.to_owned()).into());
        }
        let path = without_trailing_slash(path);
        match self.0.iter().find(|(known, owner)| known == path && *owner != endpoint) {
            Some((_, owner)) => {
                Err(PathErrorKind::Taken { path: path.to_owned(), owner: owner.as_str() }.into())
            }
            None => Ok(()),
        }
    }
}

impl Default for Routes {
    fn default() -> Self {
        let paths = [
            ("/", Endpoint::Index),
            ("/metrics", Endpoint::Metrics),
            ("/livez", Endpoint::Livez),
            ("/healthz", Endpoint::Livez),
            ("/readyz", Endpoint::Readyz),
            ("/startupz", Endpoint::Startupz),
            ("/tasks", Endpoint::Tasks),
        ];
        Self(paths.map(|(path, endpoint)| (path.to_owned(), endpoint)).into())
    }
}

fn without_trailing_slash(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}
