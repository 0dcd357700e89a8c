//! Which path leads where.

use crate::{
    config::error::{PathError, PathErrorKind},
    config::{Endpoint, Found},
    handlers::route::Route,
};

/// The paths of all endpoints, and of the user's own routes.
#[derive(Debug)]
pub(crate) struct Routes {
    endpoints: Vec<(String, Endpoint)>,
    pub(crate) own: Vec<Route>,
}

impl Routes {
    /// Finds what a path leads to: an endpoint, what belongs to one, a route of this very path, or else the service
    /// with the longest path above it.
    pub(crate) fn find<'a>(&self, path: &'a str) -> Found<'a> {
        let path = without_trailing_slash(path);
        if let Some((_, endpoint)) = self.endpoints.iter().find(|(known, _)| known == path) {
            return Found::Endpoint(*endpoint, None);
        }
        let probes = self.endpoints.iter().filter(|(_, endpoint)| endpoint.has_children());
        for (known, endpoint) in probes {
            if let Some(child) = below(path, known) {
                return Found::Endpoint(*endpoint, Some(child));
            }
        }
        let own = || self.own.iter().enumerate();
        let exact = own().find(|(_, route)| route.path == path);
        let above = || {
            own()
                .filter(|(_, route)| route.has_children && below(path, &route.path).is_some())
                .max_by_key(|(_, route)| route.path.len())
        };
        exact.or_else(above).map_or(Found::Nothing, |(number, _)| Found::Own(number))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Endpoint)> {
        self.endpoints.iter().map(|(path, endpoint)| (path.as_str(), *endpoint))
    }

    /// Replaces all paths of an endpoint by one.
    pub(crate) fn replace(&mut self, endpoint: Endpoint, path: &str) -> Result<(), PathError> {
        self.check(Some(endpoint), path)?;
        self.endpoints.retain(|(_, known)| *known != endpoint);
        self.add(endpoint, path)
    }

    /// Gives an endpoint one more path.
    pub(crate) fn add(&mut self, endpoint: Endpoint, path: &str) -> Result<(), PathError> {
        self.check(Some(endpoint), path)?;
        let path = without_trailing_slash(path);
        if !self.endpoints.iter().any(|(known, _)| known == path) {
            self.endpoints.push((path.to_owned(), endpoint));
        }
        Ok(())
    }

    /// Adds a route of the user's own, made with its path as it is kept.
    pub(crate) fn add_own(
        &mut self,
        path: &str,
        make: impl FnOnce(String) -> Route,
    ) -> Result<(), PathError> {
        let path = without_trailing_slash(path);
        let route = make(path.to_owned());
        // Below the root is everything that leads nowhere otherwise, and the root itself is the list's.
        let is_fallback = route.has_children && path == "/";
        self.check(is_fallback.then_some(Endpoint::Index), path)?;
        self.own.push(route);
        Ok(())
    }

    /// Tells whether a path is one, and nobody's but the given endpoint's.
    fn check(&self, endpoint: Option<Endpoint>, path: &str) -> Result<(), PathError> {
        let plain = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\"<>\\".contains(&byte));
        if !plain {
            return Err(PathErrorKind::Malformed(path.to_owned()).into());
        }
        let path = without_trailing_slash(path);
        let taken =
            |path: &str, owner| Err(PathErrorKind::Taken { path: path.to_owned(), owner }.into());
        for (known, owner) in &self.endpoints {
            // What is below a probe is its own, but for other endpoints.
            let is_below = || owner.has_children() && below(path, known).is_some();
            if (known == path && Some(*owner) != endpoint) || (endpoint.is_none() && is_below()) {
                return taken(path, owner.as_str());
            }
        }
        let is_probe = endpoint.is_some_and(Endpoint::has_children);
        let is_lost = |own: &str| own == path || (is_probe && below(own, path).is_some());
        match self.own.iter().find(|route| is_lost(&route.path)) {
            Some(route) => taken(&route.path, "another route"),
            None => Ok(()),
        }
    }
}

/// What follows `above` in a path, after a slash.
fn below<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    path.strip_prefix(above.trim_end_matches('/'))?.strip_prefix('/')
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
        let endpoints = paths.map(|(path, endpoint)| (path.to_owned(), endpoint)).into();
        Self { endpoints, own: Vec::new() }
    }
}

fn without_trailing_slash(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}
