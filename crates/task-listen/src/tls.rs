//! The settings of TLS.

use std::path::{Path, PathBuf};

mod loaded;

pub use loaded::LoadedTls;

/// TLS for the TCP listeners of a task that serves: certificate and key from files.
///
/// The server speaks TLS 1.2 and 1.3, by rustls with the provider ring. All TCP listeners of the
/// task then speak TLS and nothing else; Unix sockets stay as they are.
///
/// # Files
///
/// All files are in PEM, and hold 64 KiB at most. They are read, and checked, when the task is
/// made, and read again at an interval while it runs. Files that changed serve new connections;
/// open connections continue with what they began with. If the files do not fit, for example
/// because the certificate was replaced and its key was not yet, the last good ones stay in use;
/// this is logged, and counted.
///
/// # Examples
///
/// ```
/// use task_listen::Tls;
///
/// let tls = Tls::from_files("tls.crt", "tls.key").client_authorities("clients.crt");
/// ```
#[derive(Clone, Debug)]
#[must_use = "TLS takes effect once it is given to a task"]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

impl Tls {
    /// Sets the files of the certificate and of its private key.
    ///
    /// The first certificate in the file is the server's; the intermediate certificates follow it.
    /// The key is in PKCS #8, PKCS #1 or SEC1.
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (certificate, key) = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        Self { certificate, key, clients: None }
    }

    /// Requires a client certificate that an authority in this file has signed. Default: no client
    /// certificate is asked for.
    ///
    /// A client without one is refused during the handshake, and that includes the probes of a
    /// kubelet. The file is read again as the others are.
    pub fn client_authorities(self, path: impl AsRef<Path>) -> Self {
        Self { clients: Some(path.as_ref().to_owned()), ..self }
    }
}
