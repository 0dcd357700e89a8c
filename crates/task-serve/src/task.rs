//! The task, and its `run`.

use std::{
    borrow::Cow,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use task_core::{Context, Phase, Task};
use task_listen::{BoundAddress, ListenOptions, Listener};

use crate::{
    ServeStats,
    error::ServeError,
    limits::Limits,
    run::{self, Settings},
    service::HttpService,
};

/// A task that serves a `tower` service over HTTP/1.1 and HTTP/2.
///
/// It is an [ingress task](Phase::INGRESS), named `serve`: it stops first, while what it calls
/// still works. It gates the readiness of its group, and is ready while it accepts connections.
///
/// [`bind`](Self::bind), [`bind_unix`](Self::bind_unix) and [`on`](Self::on) make one without a
/// service, whose addresses are bound; [`service`](Self::service) makes a task of it. Clients can
/// connect from the bind on, and are answered once the task runs.
///
/// # Cancel safety
///
/// Dropping the future of [`run`](Task::run) closes the listeners and drops all connections at
/// once. Cancelling the task through its context instead lets answers in progress end.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use task_serve::ServeTask;
///
/// # fn main() -> Result<(), task_serve::ServeError> {
/// let api = Router::new().route("/", get(async || "hello"));
/// let serve = ServeTask::bind("127.0.0.1:0")?.service(api);
/// assert_ne!(serve.local_addr().expect("it listens on TCP").port(), 0);
/// # Ok(()) }
/// ```
#[must_use = "a task does nothing until a manager runs it"]
pub struct ServeTask<S = ()> {
    listeners: Vec<Listener>,
    limits: Limits,
    stats: ServeStats,
    #[cfg(feature = "tls")]
    tls: Option<Arc<task_listen::LoadedTls>>,
    finishes_handlers: bool,
    service: S,
}

impl ServeTask {
    /// Binds a TCP address, such as `"0.0.0.0:8080"`, `":8080"` (IPv6 and IPv4) or `"127.0.0.1:0"`
    /// (a free port). For other options of the socket, see [`ListenOptions`].
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound.
    pub fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, ServeError> {
        Ok(Self::on(ListenOptions::default().bind(address)?))
    }

    /// Binds a Unix socket. See [`ListenOptions::bind_unix`] for what happens to its file.
    ///
    /// # Errors
    ///
    /// If the path is in use, or cannot be bound.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<std::path::Path>) -> Result<Self, ServeError> {
        Ok(Self::on(ListenOptions::default().bind_unix(path)?))
    }

    /// Serves on a listener that is bound already: by [`ListenOptions`], or by somebody else, such
    /// as systemd. A listener of the standard library converts by `try_into`.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_serve::{Listener, ServeTask};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let inherited = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let serve = ServeTask::on(Listener::try_from(inherited)?);
    /// # Ok(()) }
    /// ```
    pub fn on(listener: Listener) -> Self {
        Self {
            listeners: vec![listener],
            limits: Limits::default(),
            stats: ServeStats::new(),
            #[cfg(feature = "tls")]
            tls: None,
            finishes_handlers: false,
            service: (),
        }
    }

    /// Sets the service, which makes it a task: an axum `Router`, or any other `tower` service for
    /// [`RequestBody`](crate::RequestBody).
    ///
    /// Each connection and each request gets a clone of it. A panic of the service, and an error
    /// that it returns, is logged and answered by 500.
    ///
    /// The extensions of a request have the [`Context`] of the task and the
    /// [`ClientAddress`](crate::ClientAddress).
    pub fn service<S: HttpService>(self, service: S) -> ServeTask<S> {
        ServeTask {
            listeners: self.listeners,
            limits: self.limits,
            stats: self.stats,
            #[cfg(feature = "tls")]
            tls: self.tls,
            finishes_handlers: self.finishes_handlers,
            service,
        }
    }
}

impl<S> ServeTask<S> {
    /// Encrypts all TCP listeners, which then accept nothing else. HTTP/2 is offered by ALPN.
    /// Default: no TLS. Requires the feature `tls`.
    ///
    /// The files are read now, and again at the [reload interval](Limits::reload_interval) while
    /// the task runs. A certificate that changes breaks no handshake.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or not be used.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: task_listen::Tls) -> Result<Self, ServeError> {
        let tls = task_listen::LoadedTls::load(tls, &[b"h2", b"http/1.1"])?;
        Ok(Self { tls: Some(Arc::new(tls)), ..self })
    }

    /// Lets a handler finish although its client is gone, up to the time at which the stop cuts.
    /// Default: it is dropped where it awaits, with its connection.
    ///
    /// Each handler is a Tokio task then, and keeps the slot of its connection.
    pub fn finish_handlers(self) -> Self {
        Self { finishes_handlers: true, ..self }
    }

    /// Adds a listener. All listeners serve the same service under the same limits.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Sets the limits. Default: those of [`Limits`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Returns the counters of the server.
    pub fn stats(&self) -> ServeStats {
        self.stats.clone()
    }

    /// Returns the address of the first TCP listener, with its real port; `None` if all listeners
    /// are Unix sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses().find_map(|address| match address {
            BoundAddress::Tcp(address) => Some(*address),
            _ => None,
        })
    }

    /// Returns the addresses of all listeners, in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = &BoundAddress> {
        self.listeners.iter().map(Listener::address)
    }
}

impl<S: HttpService> Task for ServeTask<S> {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("serve")
    }

    fn phase(&self) -> Phase {
        Phase::INGRESS
    }

    fn gates_readiness(&self) -> bool {
        true
    }

    /// Serves until cancelled; then takes the connections that wait in the queues of the listeners,
    /// closes the listeners, lets answers in progress end for a bounded time, cuts the rest, and
    /// returns `Ok(())`.
    ///
    /// What it cuts is a warning in the log, and its last status, which the report has of each
    /// task. If it cut a request, that is also a [failure](Context::record_failure).
    ///
    /// # Errors
    ///
    /// At the start, if the runtime does not accept the listeners.
    ///
    /// # Panics
    ///
    /// If the runtime has no I/O driver or no time driver.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let settings = Settings {
            limits: self.limits,
            stats: Arc::clone(&self.stats.0),
            #[cfg(feature = "tls")]
            tls: self.tls,
            finishes_handlers: self.finishes_handlers,
        };
        run::run(self.listeners, self.service, settings, ctx).await
    }
}

impl<S> fmt::Debug for ServeTask<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses().collect();
        f.debug_struct("ServeTask").field("addresses", &addresses).finish_non_exhaustive()
    }
}
