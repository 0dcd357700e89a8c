//! The task, and how it is configured.

use std::{
    fmt, iter,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use crate::{
    BindError, BoundAddress, Endpoint, Limits, ListenOptions, Listener, MetricsSource, PathError,
    check::{Check, CheckFuture, Probe},
    families::Shown,
    routes::Routes,
};

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
    pub(crate) limits: Limits,
    pub(crate) sources: Vec<Box<dyn MetricsSource>>,
    pub(crate) shown: Shown,
    pub(crate) checks: Vec<Arc<Check>>,
    pub(crate) reveals_reasons: bool,
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
            limits: Limits::default(),
            sources: Vec::new(),
            shown: Shown::default(),
            checks: Vec::new(),
            reveals_reasons: false,
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

    /// Adds a source of metrics, such as a registry. See [`MetricsSource`] for the rules among several. Default: none
    /// but the [own metrics](crate#metrics).
    pub fn metrics(mut self, source: impl MetricsSource) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Leaves out `task_*`, the metrics of the group. Default: shown.
    pub fn without_group_metrics(mut self) -> Self {
        self.shown.group = false;
        self
    }

    /// Leaves out `process_*`. A family that a source has too is left out anyway. Default: shown, on Linux.
    pub fn without_process_metrics(mut self) -> Self {
        self.shown.process = false;
        self
    }

    /// Leaves out `tokio_*`. Default: shown.
    pub fn without_runtime_metrics(mut self) -> Self {
        self.shown.runtime = false;
        self
    }

    /// Leaves out `task_http_*` and `task_health_*`, what the server counts about itself. Default: shown.
    pub fn without_server_metrics(mut self) -> Self {
        self.shown.server = false;
        self
    }

    /// Adds a check to `/readyz`: not ready while it fails.
    ///
    /// A check runs when somebody asks, together with the others, and not again while its last result is fresh (1 s).
    /// It fails if it returns an error, panics, or takes longer than a second; see [`Limits::check_time`] and
    /// [`Limits::check_age`]. It must not block its thread: a worker that is blocked can take the runtime's timers and
    /// sockets with it, and with them the probes. A name that is taken gets a suffix, `#2` and so on.
    ///
    /// ```
    /// # use task_http::HttpTask;
    /// # async fn ping() -> anyhow::Result<()> { Ok(()) }
    /// # fn main() -> anyhow::Result<()> {
    /// let http = HttpTask::bind("127.0.0.1:0")?.check("database", || ping());
    /// # Ok(()) }
    /// ```
    pub fn check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Ready, check)
    }

    /// Adds a check to `/livez`, like [`check`](Self::check): the process is restarted while it fails. It must never
    /// look at anything outside the process: a database that is down is no reason to restart its clients.
    pub fn liveness_check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Live, check)
    }

    /// Shows the errors of checks in the probes' answers. They may hold what not everybody should read, addresses and
    /// user names for instance. Default: `reason withheld`.
    pub fn reveal_reasons(mut self) -> Self {
        self.reveals_reasons = true;
        self
    }

    /// Moves an endpoint to another path; its other paths are gone. A slash at the end makes no difference. Default:
    /// see [`Endpoint`].
    ///
    /// # Errors
    ///
    /// If another endpoint has the path, or it is none: it must begin with `/`, and may not have a query or anything
    /// that would have to be encoded.
    pub fn path(mut self, endpoint: Endpoint, path: impl AsRef<str>) -> Result<Self, PathError> {
        self.routes.replace(endpoint, path.as_ref())?;
        Ok(self)
    }

    /// Gives an endpoint one more path. Default: `/healthz` for [`Endpoint::Livez`].
    ///
    /// # Errors
    ///
    /// As [`path`](Self::path).
    pub fn also_path(
        mut self,
        endpoint: Endpoint,
        path: impl AsRef<str>,
    ) -> Result<Self, PathError> {
        self.routes.add(endpoint, path.as_ref())?;
        Ok(self)
    }

    /// Sets the limits. Default: those of [`Limits`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn with_check<F, Fut>(mut self, name: String, probe: Probe, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        // The probes' own lines have these names.
        let is_ours = matches!(name.as_str(), "manager" | "runtime") || name.starts_with("task/");
        let name = if is_ours { format!("check/{name}") } else { name };
        let is_taken =
            |name: &str| self.checks.iter().any(|known| known.probe == probe && known.name == name);
        let suffixed = (2_u64..).map(|number| format!("{name}#{number}"));
        let unique =
            iter::once(name.clone()).chain(suffixed).find(|name| !is_taken(name)).unwrap_or(name);
        let run = Box::new(move || Box::pin(check()) as CheckFuture);
        self.checks.push(Arc::new(Check::new(unique, probe, run)));
        self
    }
}

impl fmt::Debug for HttpTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses().collect();
        f.debug_struct("HttpTask").field("addresses", &addresses).finish_non_exhaustive()
    }
}
