//! The errors of the constructors and of `build`.

use std::{io, panic::Location, path::Path};

#[cfg(feature = "tls")]
use task_listen::TlsError;
use task_listen::{BindError, BoundAddress};

/// The error of making an [`HttpTask`](crate::HttpTask): of an address, or of a setting.
///
/// The kind is private. The message names the address, the path, the file or the setting, and has
/// no secret in it; the source, if there is one, is the error of the system or of the TLS library.
/// Of several faults one is reported. Addresses are bound last, when all settings are fine.
///
/// # Examples
///
/// ```
/// use task_http::{Endpoint, HttpTask};
///
/// let result = HttpTask::builder().path(Endpoint::Metrics, "/livez").bind("127.0.0.1:0");
/// let error = result.unwrap_err();
/// assert!(error.is_path_taken());
/// assert_eq!(error.to_string(), "path `/livez` already belongs to livez");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HttpError(#[from] HttpErrorKind);

impl HttpError {
    /// Returns the address that could not be bound; `None` if the error is about a setting.
    pub fn address(&self) -> Option<&str> {
        match &self.0 {
            HttpErrorKind::Bind(error) => Some(error.address()),
            _ => None,
        }
    }

    /// Returns whether the address, or the Unix socket, is in use already.
    pub fn is_address_in_use(&self) -> bool {
        matches!(&self.0, HttpErrorKind::Bind(error) if error.is_in_use())
    }

    /// Returns whether this process lacks the permission to bind the address.
    pub fn is_permission_denied(&self) -> bool {
        matches!(&self.0, HttpErrorKind::Bind(error) if error.is_permission_denied())
    }

    /// Returns whether a path belongs to another endpoint or route.
    pub fn is_path_taken(&self) -> bool {
        matches!(self.0, HttpErrorKind::PathTaken { .. })
    }

    /// Returns whether a file with a secret or a certificate could not be read.
    pub fn is_unreadable(&self) -> bool {
        match &self.0 {
            HttpErrorKind::Unreadable { .. } => true,
            #[cfg(feature = "tls")]
            HttpErrorKind::Tls(error) => error.is_unreadable(),
            _ => false,
        }
    }

    /// Makes the error of a file that cannot be read.
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        HttpErrorKind::Unreadable { path: path.display().to_string(), source }.into()
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for HttpError {
    fn from(error: TlsError) -> Self {
        HttpErrorKind::Tls(error).into()
    }
}

impl From<BindError> for HttpError {
    fn from(error: BindError) -> Self {
        HttpErrorKind::Bind(error).into()
    }
}

/// The kinds of an [`HttpError`], each with its message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpErrorKind {
    #[error(transparent)]
    Bind(BindError),
    #[error("there is no listener to serve on")]
    NoListener,
    #[error("the listener on {0} serves nothing")]
    NothingServed(BoundAddress),
    #[error("path `{path}` already belongs to {owner}")]
    PathTaken { path: String, owner: &'static str },
    #[error("path `{0}` is not a plain path that begins with `/`")]
    PathMalformed(String),
    #[error("{0:?} cannot begin the name of a metric")]
    Prefix(String),
    #[error("the metrics source that was added at {0} has no format")]
    NoFormat(&'static Location<'static>),
    #[error("{what} {fault}")]
    Secret { what: String, fault: &'static str },
    #[error("user {0:?} has a colon or control characters")]
    User(String),
    #[error("{0:?} is neither an IP address nor a network")]
    Network(String),
    #[error("failed to read {path}")]
    Unreadable { path: String, source: io::Error },
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(TlsError),
}
