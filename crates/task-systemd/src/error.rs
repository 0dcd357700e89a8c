//! The error of the constructors.

use std::io;

/// The error of what systemd passed, or of a name or a value that systemd would not take.
///
/// The kind is private. The message names the variable, the socket, the credential or the setting;
/// the source, if there is one, is the error of the system.
///
/// # Examples
///
/// ```
/// use task_systemd::{Environment, SystemdTask};
///
/// let environment = Environment::new().notify_socket("relative/path");
/// let error = SystemdTask::with(&environment).unwrap_err();
/// # #[cfg(target_os = "linux")]
/// assert_eq!(
///     error.to_string(),
///     "NOTIFY_SOCKET is `relative/path`, which is neither an absolute path nor an abstract name"
/// );
/// assert!(error.is_environment());
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SystemdError(#[from] ErrorKind);

impl SystemdError {
    /// Returns whether a variable of the environment has a value that is not understood.
    pub fn is_environment(&self) -> bool {
        matches!(self.0, ErrorKind::Variable { .. } | ErrorKind::Open { .. })
    }

    /// Returns whether it is about a socket that was passed: of another kind than was asked for, or
    /// not used.
    pub fn is_socket(&self) -> bool {
        matches!(self.0, ErrorKind::Socket { .. } | ErrorKind::Unused { .. })
    }

    /// Returns whether it is about a credential.
    pub fn is_credential(&self) -> bool {
        matches!(self.0, ErrorKind::Credential { .. })
    }

    /// Returns whether it is about a name or a setting that was given by the caller.
    pub fn is_setting(&self) -> bool {
        matches!(self.0, ErrorKind::Setting { .. })
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("{name} is `{value}`, which is {fault}")]
    Variable { name: &'static str, value: String, fault: &'static str },
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "Linux alone opens one"))]
    #[error("failed to open a socket for NOTIFY_SOCKET `{value}`")]
    Open { value: String, source: io::Error },
    #[error("socket `{name}` is not {wanted}")]
    Socket { name: String, wanted: &'static str, source: io::Error },
    #[error("sockets that were passed and are not used: {names}")]
    Unused { names: String },
    #[error("failed to read credential `{name}`")]
    Credential { name: String, source: io::Error },
    #[error("{what} `{value}` {fault}")]
    Setting { what: &'static str, value: String, fault: &'static str },
}
