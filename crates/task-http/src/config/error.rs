//! The errors of the constructors and setters.

use std::{convert::Infallible, io};

mod access;
mod route;
#[cfg(feature = "tls")]
mod tls;

pub use access::AccessError;
pub use route::BodyError;
#[cfg(feature = "tls")]
pub use tls::TlsError;

/// A listener could not be bound. Its message names the address; the reason is its source.
#[derive(Debug, thiserror::Error)]
#[error("failed to {attempt} {address}")]
pub struct BindError {
    attempt: &'static str,
    address: String,
    source: io::Error,
}

impl BindError {
    pub(crate) fn new(
        attempt: &'static str,
        address: impl Into<String>,
        source: io::Error,
    ) -> Self {
        Self { attempt, address: address.into(), source }
    }

    /// Returns the address, as it was given or as it was resolved.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Tells whether somebody else has the address, or the Unix socket.
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// Tells whether this process may not have the address.
    pub fn is_permission_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

impl From<Infallible> for BindError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A path that an endpoint cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct PathError(#[from] PathErrorKind);

impl PathError {
    /// Tells whether another endpoint or route has the path.
    pub fn is_taken(&self) -> bool {
        matches!(self.0, PathErrorKind::Taken { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathErrorKind {
    #[error("path `{path}` already belongs to {owner}")]
    Taken { path: String, owner: &'static str },
    #[error("path `{0}` is not a plain path that begins with `/`")]
    Malformed(String),
}

/// A prefix that no metric's name can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{prefix:?} cannot begin the name of a metric")]
pub struct PrefixError {
    prefix: String,
}

impl PrefixError {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix }
    }
}
