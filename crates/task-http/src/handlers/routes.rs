//! The table of paths: endpoints and user routes.

use crate::{
    config::{Endpoint, Found, HttpErrorKind},
    handlers::route::Route,
};

/// The paths of the endpoints and of the user routes.
#[derive(Debug)]
pub(crate) struct Routes {
    endpoints: Vec<(String, Endpoint)>,
    pub(crate) user: Vec<Route>,
}

impl Routes {
    /// Finds what a path leads to, in this order: the endpoint with this path, the probe with a
    /// path above it, the route with this path, and the service with the longest path above it.
    pub(crate) fn find<'a>(&self, path: &'a str) -> Found<'a> {
        let path = without_trailing_slash(path);
        if let Some((_, endpoint)) = self.endpoints.iter().find(|(known, _)| known == path) {
            return Found::Endpoint(*endpoint, None);
        }
        let probes = self.endpoints.iter().filter(|(_, endpoint)| endpoint.is_probe());
        for (known, endpoint) in probes {
            if let Some(child) = below(path, known) {
                return Found::Endpoint(*endpoint, Some(child));
            }
        }
        let user = || self.user.iter().enumerate();
        let exact = user().find(|(_, route)| route.path == path);
        let above = || {
            user()
                .filter(|(_, route)| route.has_children && below(path, &route.path).is_some())
                .max_by_key(|(_, route)| route.path.len())
        };
        exact.or_else(above).map_or(Found::Nothing, |(number, _)| Found::Route(number))
    }

    /// Returns the paths of the endpoints.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&str, Endpoint)> {
        self.endpoints.iter().map(|(path, endpoint)| (path.as_str(), *endpoint))
    }

    /// Replaces all paths of an endpoint by this one.
    pub(crate) fn replace(&mut self, endpoint: Endpoint, path: &str) -> Result<(), HttpErrorKind> {
        self.check(Some(endpoint), path)?;
        self.endpoints.retain(|(_, known)| *known != endpoint);
        self.add(endpoint, path)
    }

    /// Gives an endpoint one more path.
    pub(crate) fn add(&mut self, endpoint: Endpoint, path: &str) -> Result<(), HttpErrorKind> {
        self.check(Some(endpoint), path)?;
        let path = without_trailing_slash(path);
        if !self.endpoints.iter().any(|(known, _)| known == path) {
            self.endpoints.push((path.to_owned(), endpoint));
        }
        Ok(())
    }

    /// Adds a user route. `make` gets the path as it is stored.
    pub(crate) fn add_route(
        &mut self,
        path: &str,
        make: impl FnOnce(String) -> Route,
    ) -> Result<(), HttpErrorKind> {
        let path = without_trailing_slash(path);
        let route = make(path.to_owned());
        // A service at the root gets the paths that are not found otherwise. The root itself stays
        // with the list of endpoints.
        let is_fallback = route.has_children && path == "/";
        self.check(is_fallback.then_some(Endpoint::Index), path)?;
        self.user.push(route);
        Ok(())
    }

    /// Checks that a path is well-formed, and belongs to no other endpoint or route.
    fn check(&self, endpoint: Option<Endpoint>, path: &str) -> Result<(), HttpErrorKind> {
        let plain = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\"<>\\".contains(&byte));
        if !plain {
            return Err(HttpErrorKind::PathMalformed(path.to_owned()));
        }
        let path = without_trailing_slash(path);
        let taken =
            |path: &str, owner| Err(HttpErrorKind::PathTaken { path: path.to_owned(), owner });
        for (known, owner) in &self.endpoints {
            // Paths below a probe belong to it, except those of other endpoints.
            let is_below = || owner.is_probe() && below(path, known).is_some();
            if (known == path && Some(*owner) != endpoint) || (endpoint.is_none() && is_below()) {
                return taken(path, owner.as_str());
            }
        }
        let is_probe = endpoint.is_some_and(Endpoint::is_probe);
        let conflicts = |known: &str| known == path || (is_probe && below(known, path).is_some());
        match self.user.iter().find(|route| conflicts(&route.path)) {
            Some(route) => taken(&route.path, "another route"),
            None => Ok(()),
        }
    }
}

/// Returns the rest of a path below `above`, without the slash between them.
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
        Self { endpoints, user: Vec::new() }
    }
}

/// Removes slashes at the end of a path, except for the root. Paths are stored and looked up in
/// this form.
fn without_trailing_slash(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}
