//! The task, and its `run`.

use std::{
    borrow::Cow,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
};

use task_core::{Context, Phase, Task};

use crate::{
    config::{BoundAddress, HttpError, Listener},
    serve::{self, Settings},
};

mod builder;

pub use builder::HttpTaskBuilder;

/// A task that serves metrics, probes and the task table over HTTP/1.1.
///
/// It is a [support task](task_core::Phase::SUPPORT), named `http`: it stops after the work, so
/// that the whole shutdown can be observed through it.
///
/// [`bind`](Self::bind) makes one with default settings; [`builder`](Self::builder) makes one with
/// others. Both check the settings and bind the addresses, so a task that exists can be run.
/// Clients can connect from then on, and get their responses once the task runs. Dropping a task
/// that has not run frees its addresses.
///
/// See the [crate's documentation](crate) for the endpoints, the metrics and how the task stops.
///
/// # Cancel safety
///
/// Dropping the future of [`run`](Task::run) closes the listeners and drops all connections at
/// once. Cancelling the task through its context instead lets responses in progress end.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use task_http::{HttpTask, Limits, text_source};
///
/// # async fn ping() -> anyhow::Result<()> { Ok(()) }
/// # fn main() -> Result<(), task_http::HttpError> {
/// let http = HttpTask::builder()
///     .metrics(text_source(|| String::from("# TYPE jobs gauge\njobs 3\n")))
///     .check("database", || ping())
///     .limits(Limits::default().check_timeout(Duration::from_millis(500)))
///     .bind("127.0.0.1:0")?;
/// assert_ne!(http.local_addr().expect("it listens on TCP").port(), 0);
/// # Ok(()) }
/// ```
#[must_use = "a task does nothing until a manager runs it"]
pub struct HttpTask {
    listeners: Vec<Listener>,
    settings: Settings,
}

impl HttpTask {
    /// Makes a task with default settings on a TCP address, such as `"0.0.0.0:9090"`,
    /// `"[::]:9090"` (IPv6 and IPv4) or `"127.0.0.1:0"` (a free port).
    ///
    /// It is short for [`HttpTask::builder().bind(address)`](HttpTaskBuilder::bind).
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::bind("127.0.0.1:0")?;
    /// println!("serving on {:?}", http.local_addr());
    /// # Ok(()) }
    /// ```
    pub fn bind(address: impl ToSocketAddrs + fmt::Debug) -> Result<Self, HttpError> {
        Self::builder().bind(address)
    }

    /// Makes a task with default settings on a Unix socket.
    ///
    /// It is short for [`HttpTask::builder().bind_unix(path)`](HttpTaskBuilder::bind_unix).
    ///
    /// # Errors
    ///
    /// If the path is in use, or cannot be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// # let path = std::env::temp_dir().join(format!("task-http-bind-{}.sock", std::process::id()));
    /// let http = HttpTask::bind_unix(&path)?;
    /// assert!(path.exists());
    /// drop(http);
    /// assert!(!path.exists());
    /// # Ok(()) }
    /// ```
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<std::path::Path>) -> Result<Self, HttpError> {
        Self::builder().bind_unix(path)
    }

    /// Returns a builder with default settings.
    pub fn builder() -> HttpTaskBuilder {
        HttpTaskBuilder::new()
    }

    /// Returns the address of the first TCP listener, with its real port; `None` if all listeners
    /// are Unix sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses().find_map(|address| match address {
            BoundAddress::Tcp(address) => Some(*address),
            BoundAddress::Unix(_) => None,
        })
    }

    /// Returns the addresses of all listeners, in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = &BoundAddress> {
        self.listeners.iter().map(Listener::address)
    }
}

impl Task for HttpTask {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("http")
    }

    fn phase(&self) -> Phase {
        Phase::SUPPORT
    }

    /// Serves until cancelled, closes the listeners, lets responses in progress end for a bounded
    /// time, and returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// At the start, if the runtime does not accept the listeners, or the system refuses the thread
    /// that watches the runtime.
    ///
    /// # Panics
    ///
    /// If the runtime has no I/O driver or no time driver.
    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { listeners, settings } = self;
        serve::run(listeners, settings, ctx).await
    }
}

impl fmt::Debug for HttpTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses().collect();
        f.debug_struct("HttpTask").field("addresses", &addresses).finish_non_exhaustive()
    }
}
