//! TLS: certificate and key from files, read again when they change.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::{
    config::error::TlsError,
    reload::{self, Reload, Reloaded},
};

/// How an [`HttpTask`](crate::HttpTask) speaks TLS on its TCP listeners: version 1.2 or 1.3, by rustls, with a
/// certificate and a key from files in PEM. Unix sockets stay as they are.
///
/// The files are read again [every few seconds](crate::Limits::reload_interval) while the task runs. What changed
/// serves new connections; open ones go on with what they began with. Files that do not fit, such as a certificate
/// whose key is yet to come, leave the last good ones in use: that is logged, and counted as
/// `task_http_reloads_total{outcome="failed"}`.
///
/// A handshake is part of the [header time](crate::Limits::header_time), takes one of the
/// [connections](crate::Limits::connections), and keeps no other client waiting.
///
/// ```no_run
/// # use task_http::{HttpTask, Tls};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let http = HttpTask::bind("0.0.0.0:9090")?.tls(Tls::from_files("tls.crt", "tls.key")?);
/// # Ok(()) }
/// ```
#[must_use = "hand it to `HttpTask::tls`"]
pub struct Tls {
    files: Files,
    current: Mutex<Current>,
}

#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

struct Current {
    contents: Contents,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a certificate, followed by those between it and its root, and its private key (PKCS #8, PKCS #1 or SEC1).
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or has more than 64 KiB, or is not what it should be, or the key is not the
    /// certificate's.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::read(Files {
            certificate: certificate.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            clients: None,
        })
    }

    /// Asks every client for a certificate that one of these authorities has signed, kubelets too: who has none is
    /// refused during the handshake. The file, in PEM, is read again as the others are. Default: no client is asked.
    ///
    /// # Errors
    ///
    /// As [`from_files`](Self::from_files), or if there is no authority in the file.
    pub fn client_authorities(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::read(Files { clients: Some(path.as_ref().to_owned()), ..self.files })
    }

    /// Begins the server's part of a handshake.
    pub(crate) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config)).accept(stream)
    }

    fn read(files: Files) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let config = files.configure(&contents)?;
        Ok(Self { files, current: Mutex::new(Current { contents, config }) })
    }
}

impl Files {
    fn read(&self) -> Result<Contents, TlsError> {
        let read =
            |path: &Path| reload::read(path).map_err(|error| TlsError::unreadable(path, error));
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            clients: self.clients.as_deref().map(read).transpose()?,
        })
    }

    fn configure(&self, contents: &Contents) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|error| TlsError::unfit(&self.key, error))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::unfit(&self.certificate, error))?;
        let builder = match self.clients.as_deref().zip(contents.clients.as_deref()) {
            None => builder.with_no_client_auth(),
            Some((path, pem)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path, pem)? {
                    roots.add(certificate).map_err(|error| TlsError::unfit(path, error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| TlsError::unfit(path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| TlsError::unfit(&self.certificate, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl Reload for Tls {
    fn what(&self) -> &'static str {
        "certificate"
    }

    fn reload(&self) -> anyhow::Result<Reloaded> {
        let contents = self.files.read()?;
        let current = || self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current().contents == contents {
            return Ok(Reloaded::Same);
        }
        // Without the lock: handshakes begin meanwhile.
        let config = self.files.configure(&contents)?;
        *current() = Current { contents, config };
        Ok(Reloaded::Changed)
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let parsed = parsed.map_err(|error| TlsError::unfit(path, error))?;
    if parsed.is_empty() {
        return Err(TlsError::empty(path));
    }
    Ok(parsed)
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}
