//! What can be wrong with the files of a certificate.

use std::{error::Error, io, path::Path};

/// A certificate, its key or the authorities of clients could not be used. Its message names the file; the reason is
/// its source.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsError(TlsErrorKind);

impl TlsError {
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self(TlsErrorKind::Unreadable { path: path.display().to_string(), source })
    }

    pub(crate) fn unfit(path: &Path, source: impl Error + Send + Sync + 'static) -> Self {
        Self(TlsErrorKind::Unfit { path: path.display().to_string(), source: source.into() })
    }

    pub(crate) fn empty(path: &Path) -> Self {
        Self(TlsErrorKind::Empty { path: path.display().to_string() })
    }

    /// Tells whether a file could not be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.0, TlsErrorKind::Unreadable { .. })
    }
}

#[derive(Debug, thiserror::Error)]
enum TlsErrorKind {
    #[error("failed to read {path}")]
    Unreadable { path: String, source: io::Error },
    #[error("{path} cannot be used for TLS")]
    Unfit { path: String, source: Box<dyn Error + Send + Sync> },
    #[error("{path} has no certificate in it")]
    Empty { path: String },
}
