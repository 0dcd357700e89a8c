//! The errors of the constructors.

use task_listen::BindError;

/// The error of making a [`ServeTask`](crate::ServeTask): of an address, or of a file of TLS.
///
/// The kind is private. The message names the address or the file; the source is the error of the
/// system or of the TLS library.
///
/// # Examples
///
/// ```
/// use task_serve::ServeTask;
///
/// # fn main() -> Result<(), task_serve::ServeError> {
/// let first = ServeTask::bind("127.0.0.1:0")?;
/// let address = first.local_addr().expect("it listens on TCP");
/// let error = ServeTask::bind(address).unwrap_err();
/// assert!(error.is_address_in_use());
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ServeError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error(transparent)]
    Bind(BindError),
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(task_listen::TlsError),
}

impl ServeError {
    /// Returns the address that could not be bound; `None` if the error is about something else.
    pub fn address(&self) -> Option<&str> {
        match &self.0 {
            Kind::Bind(error) => Some(error.address()),
            #[cfg(feature = "tls")]
            Kind::Tls(_) => None,
        }
    }

    /// Returns whether the address, or the Unix socket, is in use already.
    pub fn is_address_in_use(&self) -> bool {
        match &self.0 {
            Kind::Bind(error) => error.is_in_use(),
            #[cfg(feature = "tls")]
            Kind::Tls(_) => false,
        }
    }

    /// Returns whether this process lacks the permission to bind the address.
    pub fn is_permission_denied(&self) -> bool {
        match &self.0 {
            Kind::Bind(error) => error.is_permission_denied(),
            #[cfg(feature = "tls")]
            Kind::Tls(_) => false,
        }
    }
}

impl From<BindError> for ServeError {
    fn from(error: BindError) -> Self {
        Kind::Bind(error).into()
    }
}

#[cfg(feature = "tls")]
impl From<task_listen::TlsError> for ServeError {
    fn from(error: task_listen::TlsError) -> Self {
        Kind::Tls(error).into()
    }
}
