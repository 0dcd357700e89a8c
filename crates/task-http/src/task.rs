//! The task, and its `run`.

use std::{
    borrow::Cow,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use task_core::{Context, Phase, Task};
use task_listen::BoundAddress;

use crate::{
    config::{HttpError, HttpListener},
    serve::{self, Cut, Settings},
};

mod builder;
mod stop;

pub use builder::HttpTaskBuilder;
use stop::Handover;
pub use stop::HttpStop;

/// A task that serves metrics, probes and the task table over HTTP/1.1.
///
/// It is a [support task](task_core::Phase::SUPPORT), named `http`: it stops after the work, so
/// that the stop can be observed through it; with [`through_cleanups`](Self::through_cleanups), also
/// the cleanups.
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
    listeners: Vec<HttpListener>,
    settings: Settings,
    /// Set if the server goes on through the cleanups.
    handover: Option<Arc<Handover>>,
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

    /// Makes the server go on while the cleanups run, so that their states and metrics can be
    /// scraped, and `/livez` and `/readyz` (503) have a response to the end. Default: the server
    /// stops with its task, before the cleanups.
    ///
    /// The task then ends as soon as it is cancelled, and leaves its server to the [`HttpStop`].
    /// That is run by a cleanup, and cleanups run in the reverse order of their registration:
    /// **register it before any other**, so that it runs last.
    ///
    /// The server stays a Tokio task of the runtime, which the manager does not know. It ends in
    /// its cleanup, within [`Limits::stop_timeout`](crate::Limits::stop_timeout) and the time of the
    /// cleanup. If the cleanup is not run, it is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    /// use task_manager::Manager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::new();
    /// let (http, stop) = HttpTask::bind("127.0.0.1:0")?.through_cleanups();
    /// manager.cleanup_with("http", |ctx| stop.run(ctx))?; // the first one, so it runs last
    /// manager.run(http)?;
    /// manager.cleanup("database", async || Ok(()))?; // while this runs, the server responds
    /// # tokio::task::yield_now().await;
    /// # manager.shutdown().await?;
    /// # Ok(()) }
    /// ```
    pub fn through_cleanups(self) -> (Self, HttpStop) {
        let handover = Handover::new();
        let stop = HttpStop(Arc::clone(&handover));
        (Self { handover: Some(handover), ..self }, stop)
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
        self.listeners.iter().map(HttpListener::address)
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
    /// time, and returns `Ok(())`. After [`through_cleanups`](HttpTask::through_cleanups) it returns
    /// as soon as it is cancelled.
    ///
    /// The responses that it cuts are a warning in the log, and its last status, which the report
    /// has of each task. In a phase below [`Phase::SUPPORT`], those of user routes are also a
    /// [failure](Context::record_failure).
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
        let Self { listeners, settings, handover } = self;
        if let Some(handover) = handover {
            return handover.run(listeners, settings, ctx).await;
        }
        let cut = serve::run(listeners, settings, ctx.clone(), ctx.clone()).await?;
        if let Some(failure) = report_cut(&cut, &ctx) {
            ctx.record_failure(failure);
        }
        Ok(())
    }
}

/// States in the report which responses were cut, and returns the failure that this is, if it is
/// one: a service that loses a response is not clean. A probe or a scrape that is cut is no loss,
/// and neither is a response of a server that is there for those who watch the service.
fn report_cut(cut: &Cut, ctx: &Context) -> Option<anyhow::Error> {
    if cut.is_empty() {
        return None;
    }
    ctx.set_status(cut.to_string());
    (cut.has_routes() && ctx.phase() < Phase::SUPPORT).then(|| anyhow::anyhow!("{cut}"))
}

impl fmt::Debug for HttpTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses().collect();
        f.debug_struct("HttpTask").field("addresses", &addresses).finish_non_exhaustive()
    }
}
