//! The TLS configuration that is made from the files, and made again when they change.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use super::Tls;
use crate::{
    TlsError,
    accept::Stream,
    reload::{self, Reload, Reloaded},
};

/// TLS whose files were read and fit together, for those who write a task that serves.
pub struct LoadedTls {
    files: Tls,
    /// What is spoken on top, best first.
    protocols: &'static [&'static [u8]],
    current: Mutex<Current>,
}

/// The configuration that new connections get, with the files that it was made from.
struct Current {
    contents: Contents,
    config: Arc<ServerConfig>,
}

/// The bytes of the files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

impl LoadedTls {
    /// Reads the files, and checks that they fit together. `protocols` are those that a client can
    /// choose by ALPN, best first, such as `&[b"h2", b"http/1.1"]`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or used.
    pub fn load(files: Tls, protocols: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let config = contents.configure(&files, protocols)?;
        Ok(Self { files, protocols, current: Mutex::new(Current { contents, config }) })
    }

    /// Does the server's part of a handshake on a TCP stream. Any other stream is returned as it
    /// is.
    ///
    /// # Errors
    ///
    /// If the handshake fails. It has no time limit of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops the connection.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let Stream::Tcp(stream) = stream else { return Ok(stream) };
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current().config));
        Ok(Stream::Tls(Box::new(acceptor.accept(stream).await?)))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Reads all files. If they are replaced between two reads, they do not fit together, and the
    /// next reload reads all of them again.
    fn read(files: &Tls) -> Result<Self, TlsError> {
        let read =
            |path: &Path| reload::read(path).map_err(|error| TlsError::unreadable(path, error));
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            clients: files.clients.as_deref().map(read).transpose()?,
        })
    }

    /// Makes the configuration of rustls. The files are those that the contents were read from, for
    /// the errors.
    fn configure(&self, files: &Tls, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&files.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| TlsError::unfit(&files.key, error))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::unfit(&files.certificate, error))?;
        let builder = match files.clients.as_deref().zip(self.clients.as_deref()) {
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
            .map_err(|error| TlsError::unfit(&files.certificate, error))?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl Reload for LoadedTls {
    fn what(&self) -> &'static str {
        "certificate"
    }

    fn reload(&self) -> anyhow::Result<Reloaded> {
        let contents = Contents::read(&self.files)?;
        if self.current().contents == contents {
            return Ok(Reloaded::Same);
        }
        // Made without the lock, so that handshakes can begin meanwhile.
        let config = contents.configure(&self.files, self.protocols)?;
        *self.current() = Current { contents, config };
        Ok(Reloaded::Changed)
    }
}

/// Parses the certificates in a file, of which there must be one at least.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let parsed = parsed.map_err(|error| TlsError::unfit(path, error))?;
    if parsed.is_empty() {
        return Err(TlsError::no_certificate(path));
    }
    Ok(parsed)
}

/// Without the key.
impl fmt::Debug for LoadedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedTls").field("files", &self.files).finish_non_exhaustive()
    }
}
