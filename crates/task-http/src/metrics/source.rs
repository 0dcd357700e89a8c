//! The sources of metrics: one small trait, so that no registry is a dependency.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::config::{Format, HttpErrorKind};

#[cfg(feature = "metrics-exporter-prometheus")]
mod metrics_exporter_prometheus;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "prometheus-client")]
mod prometheus_client;

/// A source of metrics, such as a registry.
///
/// With the feature of the same name, the registries of `prometheus-client` and `prometheus` and
/// the handle of `metrics-exporter-prometheus` are sources. A closure becomes a source through
/// [`text_source`] or [`openmetrics_source`]. For a registry that is shared, or changed while it is
/// served, [`Arc`], [`Mutex`] and [`RwLock`] of a source are sources, too.
///
/// # Several sources
///
/// The sources of one server are joined into one response:
///
/// - There must be a format that all of them write, or building the task fails.
/// - A family that two of them write is taken from the one that was added first, and counted as
///   `task_http_scrape_errors_total{cause="duplicate"}`.
/// - User sources take precedence over built-in families; that is not counted.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use task_http::{Format, HttpTask, MetricsSource};
///
/// static ORDERS: AtomicU64 = AtomicU64::new(0);
///
/// struct Orders;
///
/// impl MetricsSource for Orders {
///     fn formats(&self) -> &'static [Format] {
///         &[Format::Text]
///     }
///
///     fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
///         let count = ORDERS.load(Ordering::Relaxed);
///         out.extend(format!("# TYPE orders_total counter\norders_total {count}\n").bytes());
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// let http = HttpTask::builder().metrics(Orders).bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
pub trait MetricsSource: Send + Sync + 'static {
    /// Returns the formats that [`encode`](Self::encode) can write. It is called once, when the
    /// task is built.
    fn formats(&self) -> &'static [Format];

    /// Appends all metrics to `out` in `format`, which is one of [`formats`](Self::formats).
    ///
    /// It is called on the runtime's blocking threads, at most twice at a time for one format, and
    /// may block. A scrape that has waited for [`Limits::scrape_timeout`] gets 503, but the call
    /// goes on: it cannot be interrupted, and must return eventually.
    ///
    /// For [`Format::OpenMetrics`], the closing `# EOF` is optional.
    ///
    /// # Errors
    ///
    /// If an error is returned, the scrape gets 500, what was written is discarded, and the error
    /// is logged. A panic counts as an error.
    ///
    /// [`Limits::scrape_timeout`]: crate::Limits::scrape_timeout
    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()>;
}

/// Makes a source of a closure that returns all metrics in the Prometheus text format 0.0.4.
///
/// # Examples
///
/// ```
/// use task_http::{HttpTask, text_source};
///
/// # fn main() -> Result<(), task_http::HttpError> {
/// let source = text_source(|| String::from("# TYPE jobs_waiting gauge\njobs_waiting 3\n"));
/// let http = HttpTask::builder().metrics(source).bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
pub fn text_source<F>(render: F) -> ClosureSource<F>
where
    F: Fn() -> String + Send + Sync + 'static,
{
    ClosureSource { formats: &[Format::Text], render }
}

/// Makes a source of a closure that returns all metrics in the OpenMetrics text format 1.0.0.
///
/// The closing `# EOF` is optional.
///
/// # Examples
///
/// ```
/// use task_http::{Format, MetricsSource, openmetrics_source};
///
/// let source = openmetrics_source(|| String::from("# TYPE jobs gauge\njobs 3\n# EOF\n"));
/// assert_eq!(source.formats(), [Format::OpenMetrics]);
/// ```
pub fn openmetrics_source<F>(render: F) -> ClosureSource<F>
where
    F: Fn() -> String + Send + Sync + 'static,
{
    ClosureSource { formats: &[Format::OpenMetrics], render }
}

/// A source made of a closure, by [`text_source`] or [`openmetrics_source`].
#[derive(Clone)]
#[must_use = "a source is served with `HttpTaskBuilder::metrics`"]
pub struct ClosureSource<F> {
    formats: &'static [Format],
    render: F,
}

impl<F> MetricsSource for ClosureSource<F>
where
    F: Fn() -> String + Send + Sync + 'static,
{
    fn formats(&self) -> &'static [Format] {
        self.formats
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        out.extend_from_slice((self.render)().as_bytes());
        Ok(())
    }
}

impl<F> fmt::Debug for ClosureSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureSource").field("formats", &self.formats).finish_non_exhaustive()
    }
}

impl<S: MetricsSource + ?Sized> MetricsSource for Arc<S> {
    fn formats(&self) -> &'static [Format] {
        S::formats(self)
    }

    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        S::encode(self, format, out)
    }
}

/// For a registry that changes while it is served. The lock is held while it is encoded.
impl<S: MetricsSource + ?Sized> MetricsSource for Mutex<S> {
    fn formats(&self) -> &'static [Format] {
        self.lock().unwrap_or_else(PoisonError::into_inner).formats()
    }

    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.lock().unwrap_or_else(PoisonError::into_inner).encode(format, out)
    }
}

/// For a registry that changes while it is served. It is locked for reading while it is encoded.
impl<S: MetricsSource + ?Sized> MetricsSource for RwLock<S> {
    fn formats(&self) -> &'static [Format] {
        self.read().unwrap_or_else(PoisonError::into_inner).formats()
    }

    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.read().unwrap_or_else(PoisonError::into_inner).encode(format, out)
    }
}

/// The sources of one server, which have at least one format in common.
pub(crate) struct Sources {
    sources: Vec<Box<dyn MetricsSource>>,
    formats: Vec<Format>,
}

impl Sources {
    /// Checks that the sources have a format in common. No source at all has both.
    pub(crate) fn new(sources: Vec<Box<dyn MetricsSource>>) -> Result<Self, HttpErrorKind> {
        let mut formats = vec![Format::Text, Format::OpenMetrics];
        for source in &sources {
            let written = source.formats();
            formats.retain(|format| written.contains(format));
        }
        if formats.is_empty() {
            return Err(HttpErrorKind::NoCommonFormat);
        }
        Ok(Self { sources, formats })
    }

    /// Returns the formats that all sources write.
    pub(crate) fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// Returns the sources in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn MetricsSource> {
        self.sources.iter().map(AsRef::as_ref)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("formats", &self.formats).finish_non_exhaustive()
    }
}
