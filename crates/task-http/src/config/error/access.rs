//! What can be wrong with credentials and networks.

use std::{io, path::Path};

/// Credentials or a network that an [`Access`](crate::Access) cannot have. No message has a secret in it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AccessError(AccessErrorKind);

impl AccessError {
    pub(crate) fn token(fault: &'static str) -> Self {
        Self(AccessErrorKind::Unfit { what: "the token".to_owned(), fault })
    }

    pub(crate) fn password(fault: &'static str) -> Self {
        Self(AccessErrorKind::Unfit { what: "the password".to_owned(), fault })
    }

    pub(crate) fn unfit(path: &Path, fault: &'static str) -> Self {
        Self(AccessErrorKind::Unfit { what: format!("the secret in {}", path.display()), fault })
    }

    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self(AccessErrorKind::Unreadable { path: path.display().to_string(), source })
    }

    pub(crate) fn user(user: &str) -> Self {
        Self(AccessErrorKind::User(user.to_owned()))
    }

    pub(crate) fn network(network: &str) -> Self {
        Self(AccessErrorKind::Network(network.to_owned()))
    }

    /// Tells whether a file could not be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.0, AccessErrorKind::Unreadable { .. })
    }
}

#[derive(Debug, thiserror::Error)]
enum AccessErrorKind {
    #[error("{what} {fault}")]
    Unfit { what: String, fault: &'static str },
    #[error("failed to read the secret in {path}")]
    Unreadable { path: String, source: io::Error },
    #[error("user {0:?} has a colon or control characters")]
    User(String),
    #[error("{0:?} is neither an IP address nor a network")]
    Network(String),
}
