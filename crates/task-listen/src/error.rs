//! The errors of binding a listener, and of the files of TLS.

use std::io;
#[cfg(feature = "tls")]
use std::{error::Error, path::Path};

/// The error of binding a [`Listener`](crate::Listener).
///
/// The message names the address; the source is the error of the system. It converts into an
/// [`io::Error`] of the same kind.
///
/// # Examples
///
/// ```
/// use task_listen::ListenOptions;
///
/// let error = ListenOptions::default().bind("127.0.0.1:no-port").unwrap_err();
/// assert_eq!(error.to_string(), "failed to resolve 127.0.0.1:no-port");
/// assert!(!error.is_in_use());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("failed to {attempt} {address}")]
pub struct BindError {
    attempt: &'static str,
    address: String,
    source: io::Error,
}

impl BindError {
    /// Makes an error that reads "failed to ATTEMPT ADDRESS".
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

    /// Returns whether the address, or the Unix socket, is in use already.
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// Returns whether this process lacks the permission to bind the address.
    pub fn is_permission_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// The error of loading [`Tls`](crate::Tls): of one of its files, which the message names.
///
/// The source is the error of the system or of the TLS library.
#[cfg(feature = "tls")]
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsError(#[from] TlsErrorKind);

#[cfg(feature = "tls")]
impl TlsError {
    /// Returns whether a file could not be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.0, TlsErrorKind::Unreadable { .. })
    }

    /// Makes the error of a file that cannot be read.
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        TlsErrorKind::Unreadable { path: path.display().to_string(), source }.into()
    }

    /// Makes the error of a file that can be read, but not be used for TLS.
    pub(crate) fn unfit(path: &Path, source: impl Error + Send + Sync + 'static) -> Self {
        TlsErrorKind::Unfit { path: path.display().to_string(), source: source.into() }.into()
    }

    /// Makes the error of a file without a certificate.
    pub(crate) fn no_certificate(path: &Path) -> Self {
        TlsErrorKind::NoCertificate(path.display().to_string()).into()
    }
}

/// The kinds of a [`TlsError`], each with its message.
#[cfg(feature = "tls")]
#[derive(Debug, thiserror::Error)]
enum TlsErrorKind {
    #[error("failed to read {path}")]
    Unreadable { path: String, source: io::Error },
    #[error("{path} cannot be used for TLS")]
    Unfit { path: String, source: Box<dyn Error + Send + Sync> },
    #[error("{0} has no certificate in it")]
    NoCertificate(String),
}
