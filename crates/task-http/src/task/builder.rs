//! The builder of the task: every setting, and the one place where all of them are checked.

use std::{fmt, net::ToSocketAddrs, sync::Arc};

use task_listen::{ListenOptions, Listener};
#[cfg(feature = "tls")]
use task_listen::{LoadedTls, Tls};
use tokio::runtime::Handle;

use super::HttpTask;
use crate::{
    config::{Access, Gate, HttpError, HttpErrorKind, HttpListener, Limits, Served},
    handlers::routes::Routes,
    health::check::Check,
    metrics::{Sources, families::FamilyOptions},
    serve::Settings,
};

mod checks;
mod metrics;
mod paths;

/// A builder of an [`HttpTask`], made by [`HttpTask::builder`].
///
/// The setters return the builder and do not fail. [`bind`](Self::bind),
/// [`bind_unix`](Self::bind_unix) and [`build`](Self::build) check all settings, read the files
/// that they name, bind, and return an [`HttpError`] if one of these fails. They block while they
/// read files and resolve names, and work outside of a runtime.
///
/// # Examples
///
/// Metrics and probes on TCP, and the same on a Unix socket for tools on the machine:
///
/// ```
/// use task_http::{HttpTask, ListenOptions, http::Response};
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// # let path = std::env::temp_dir().join(format!("task-http-doc-{}.sock", std::process::id()));
/// # #[cfg(unix)] {
/// let http = HttpTask::builder()
///     .route("/version", async |_| Ok(Response::new(env!("CARGO_PKG_VERSION"))))
///     .listener(ListenOptions::default().mode(0o660).bind_unix(&path)?)
///     .bind("127.0.0.1:0")?;
/// assert_eq!(http.addresses().count(), 2);
/// # }
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until a task is built"]
pub struct HttpTaskBuilder {
    listeners: Vec<HttpListener>,
    access: Access,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    limits: Limits,
    routes: Routes,
    sources: Sources,
    families: FamilyOptions,
    checks: Vec<Arc<Check>>,
    reveals_reasons: bool,
    runtimes: Vec<(String, Handle)>,
    has_heartbeat: bool,
    version: Option<String>,
    /// The first fault of a setter, which the build returns.
    fault: Option<HttpErrorKind>,
}

impl HttpTaskBuilder {
    /// Makes a builder with default settings and no listener.
    pub(super) fn new() -> Self {
        Self {
            listeners: Vec::new(),
            access: Access::default(),
            #[cfg(feature = "tls")]
            tls: None,
            limits: Limits::default(),
            routes: Routes::default(),
            sources: Sources::default(),
            families: FamilyOptions::default(),
            checks: Vec::new(),
            reveals_reasons: false,
            runtimes: Vec::new(),
            has_heartbeat: true,
            version: None,
            fault: None,
        }
    }

    /// Builds a task that serves on a TCP address, such as `"0.0.0.0:9090"`, `":9090"` (every
    /// address, IPv6 and IPv4) or `"127.0.0.1:0"` (a free port), and on the
    /// [listeners](Self::listener) before it.
    ///
    /// A name is resolved first, which blocks; of its addresses, the first that can be bound is
    /// taken. For other options of the socket, see [`ListenOptions`].
    ///
    /// # Errors
    ///
    /// If a setting is not valid, a file cannot be read, or the address cannot be resolved or
    /// bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let first = HttpTask::builder().bind("127.0.0.1:0")?;
    /// let address = first.local_addr().expect("it listens on TCP");
    /// let error = HttpTask::builder().bind(address).unwrap_err();
    /// assert!(error.is_address_in_use());
    /// assert_eq!(error.address(), Some(address.to_string().as_str()));
    /// # Ok(()) }
    /// ```
    pub fn bind(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<HttpTask, HttpError> {
        self.finish(|| Ok(Some(ListenOptions::default().bind(address)?)))
    }

    /// Builds a task that serves on a Unix socket, and on the [listeners](Self::listener) before
    /// it.
    ///
    /// See [`ListenOptions::bind_unix`] for what happens to the file of the socket.
    ///
    /// # Errors
    ///
    /// If a setting is not valid, a file cannot be read, or the path is in use or cannot be bound.
    #[cfg(unix)]
    pub fn bind_unix(self, path: impl AsRef<std::path::Path>) -> Result<HttpTask, HttpError> {
        self.finish(|| Ok(Some(ListenOptions::default().bind_unix(path)?)))
    }

    /// Builds a task that serves on the [listeners](Self::listener) alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// let error = HttpTask::builder().build().unwrap_err();
    /// assert_eq!(error.to_string(), "there is no listener to serve on");
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no listener, a setting is not valid, or a file cannot be read.
    pub fn build(self) -> Result<HttpTask, HttpError> {
        self.finish(|| Ok(None))
    }

    /// Adds a listener that is bound already. Default: none.
    ///
    /// It comes from [`ListenOptions`], or is converted from a listener of the standard library.
    /// May be called several times; all listeners serve under the same limits, and the same
    /// endpoints unless [`HttpListener::only`] or [`HttpListener::without`] says otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{HttpTask, Listener};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let inherited = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let http = HttpTask::builder().listener(Listener::try_from(inherited)?).build()?;
    /// # Ok(()) }
    /// ```
    pub fn listener(mut self, listener: impl Into<HttpListener>) -> Self {
        self.listeners.push(listener.into());
        self
    }

    /// Sets which clients may read what. Default: every client, everything.
    ///
    /// The files that it names are read when the task is built.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{Access, HttpTask};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let access = Access::default().bearer("s3cret");
    /// let http = HttpTask::builder().access(access).bind("127.0.0.1:0")?;
    ///
    /// let access = Access::default().network("10.0.0.0/33");
    /// let error = HttpTask::builder().access(access).bind("127.0.0.1:0").unwrap_err();
    /// assert_eq!(error.to_string(), "\"10.0.0.0/33\" is neither an IP address nor a network");
    /// # Ok(()) }
    /// ```
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Enables TLS on all TCP listeners. Default: no TLS.
    ///
    /// The listeners then accept nothing else: a request in clear text is closed. The files are
    /// read when the task is built.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sets the version of the service, which the page of `/tasks` shows beside the host and the
    /// pid: `.version(env!("CARGO_PKG_VERSION"))`. Default: none is shown.
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Sets the limits. Default: those of [`Limits`].
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Checks everything, and binds last, so that a fault in the settings does not open a port.
    fn finish(
        self,
        bind: impl FnOnce() -> Result<Option<Listener>, HttpError>,
    ) -> Result<HttpTask, HttpError> {
        let Self {
            mut listeners,
            access,
            #[cfg(feature = "tls")]
            tls,
            limits,
            routes,
            sources,
            families,
            checks,
            reveals_reasons,
            runtimes,
            has_heartbeat,
            version,
            fault,
        } = self;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        let settings = Settings {
            routes,
            gate: Gate::load(access)?,
            #[cfg(feature = "tls")]
            tls: tls.map(|files| LoadedTls::load(files, &[b"http/1.1"])).transpose()?,
            limits,
            sources,
            families,
            checks,
            reveals_reasons,
            runtimes,
            has_heartbeat,
            version,
        };
        // In this order, `addresses` returns those of `listener` first.
        listeners.extend(bind()?.map(HttpListener::from));
        if listeners.is_empty() {
            return Err(HttpErrorKind::NoListener.into());
        }
        if let Some(idle) = listeners.iter().find(|listener| listener.served == Served::NOTHING) {
            return Err(HttpErrorKind::NothingServed(idle.address().clone()).into());
        }
        Ok(HttpTask { listeners, settings, handover: None })
    }

    /// Keeps the first fault of the setters.
    fn record(&mut self, result: Result<(), HttpErrorKind>) {
        self.fault = self.fault.take().or(result.err());
    }
}

impl fmt::Debug for HttpTaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTaskBuilder")
            .field("listeners", &self.listeners)
            .field("access", &self.access)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
