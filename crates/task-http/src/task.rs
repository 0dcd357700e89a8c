//! The task, and how it is configured.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use tokio::runtime::Handle;

use crate::{
    config::{Access, BindError, BoundAddress, Limits, ListenOptions, Listener},
    handlers::routes::Routes,
    health::check::Check,
    metrics::{MetricsSource, families::Shown},
};

mod checks;
mod metrics;
mod paths;
mod run;

/// A task that serves metrics, probes and the task table over HTTP/1.1, and stops after the work: it is a
/// [support](task_core::Phase::SUPPORT) task, named `http`.
///
/// The constructors bind, and return an error that names the address. From then on clients can connect; they are
/// answered once the task runs. A task that is dropped without having run frees its addresses.
///
/// See the [crate's documentation](crate) for the endpoints, the metrics and how it stops.
#[must_use = "a task does nothing until a manager runs it"]
pub struct HttpTask {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) routes: Routes,
    pub(crate) access: Access,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<crate::config::Tls>>,
    pub(crate) limits: Limits,
    pub(crate) sources: Vec<Box<dyn MetricsSource>>,
    pub(crate) shown: Shown,
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) reveals_reasons: bool,
    /// The runtimes to watch beside the own one, by name.
    pub(crate) runtimes: Vec<(String, Handle)>,
    pub(crate) has_heartbeat: bool,
}

impl HttpTask {
    /// Binds a TCP address, such as `"0.0.0.0:9090"`, `"[::]:9090"` (IPv6 and IPv4) or `"127.0.0.1:0"` (any port that
    /// is free). Works outside a runtime too. A name is resolved first, which blocks; of its addresses the first that
    /// can be bound is taken. For other options, see [`ListenOptions`].
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound.
    pub fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, BindError> {
        Self::from_listener(ListenOptions::default().bind(address)?)
    }

    /// Binds a Unix socket. See [`ListenOptions::bind_unix`] for what happens to its file.
    ///
    /// # Errors
    ///
    /// If the path is in use, or cannot be bound.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<std::path::Path>) -> Result<Self, BindError> {
        Self::from_listener(ListenOptions::default().bind_unix(path)?)
    }

    /// Serves on a listener that is bound already: one of [`ListenOptions`], or of the standard library.
    ///
    /// # Errors
    ///
    /// If the system refuses to make it non-blocking.
    pub fn from_listener<L>(listener: L) -> Result<Self, BindError>
    where
        L: TryInto<Listener>,
        BindError: From<L::Error>,
    {
        Ok(Self {
            listeners: vec![listener.try_into()?],
            routes: Routes::default(),
            access: Access::default(),
            #[cfg(feature = "tls")]
            tls: None,
            limits: Limits::default(),
            sources: Vec::new(),
            shown: Shown::default(),
            checks: Vec::new(),
            reveals_reasons: false,
            runtimes: Vec::new(),
            has_heartbeat: true,
        })
    }

    /// Binds one more TCP address, as [`bind`](Self::bind) does.
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound.
    pub fn also_bind(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, BindError> {
        self.also_listen(ListenOptions::default().bind(address)?)
    }

    /// Serves on one more listener, as [`from_listener`](Self::from_listener) does.
    ///
    /// # Errors
    ///
    /// If the system refuses to make it non-blocking.
    pub fn also_listen<L>(mut self, listener: L) -> Result<Self, BindError>
    where
        L: TryInto<Listener>,
        BindError: From<L::Error>,
    {
        self.listeners.push(listener.try_into()?);
        Ok(self)
    }

    /// Returns the address of the first TCP listener, with its real port: `None` if all are Unix sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses().find_map(|address| match address {
            BoundAddress::Tcp(address) => Some(*address),
            BoundAddress::Unix(_) => None,
        })
    }

    /// Returns all addresses, in the order in which they were bound.
    pub fn addresses(&self) -> impl Iterator<Item = &BoundAddress> {
        self.listeners.iter().map(Listener::address)
    }

    /// Says who may read what is shown. Default: everybody, everything.
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Speaks TLS on the TCP listeners, all of them, and nothing else there. Default: none.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: crate::config::Tls) -> Self {
        Self { tls: Some(Arc::new(tls)), ..self }
    }

    /// Sets the limits. Default: those of [`Limits`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl fmt::Debug for HttpTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses().collect();
        f.debug_struct("HttpTask").field("addresses", &addresses).finish_non_exhaustive()
    }
}
