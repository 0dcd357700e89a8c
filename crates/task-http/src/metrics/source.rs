//! The sources of metrics: one small trait, so that no registry is a dependency.

use std::{
    fmt, mem,
    panic::Location,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::convert::Fault;
use crate::config::{Format, HttpErrorKind};

#[cfg(feature = "metrics-exporter-prometheus")]
mod metrics_exporter_prometheus;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "prometheus-client")]
mod prometheus_client;

/// A source of metrics, such as a registry.
///
/// A closure that returns a text becomes a source through [`text_source`] or
/// [`openmetrics_source`], whichever registry and which version of it wrote the text. With the
/// feature of the same name, the registries of `prometheus-client` and `prometheus` and the handle
/// of `metrics-exporter-prometheus` are sources, too. For a registry that is shared, or changed
/// while it is served, [`Arc`], [`Mutex`] and [`RwLock`] of a source are sources, too.
///
/// # Several sources
///
/// The sources of one server are joined into one response, in the format that the client asked for:
///
/// - A source that does not write that format is [converted](#conversion).
/// - A family that two of them write is taken from the one that was added first, and counted as
///   `task_http_scrape_errors_total{cause="duplicate"}`. In OpenMetrics, a counter `jobs_total` has
///   the family `jobs`, and another family `jobs` of a later source is left out.
/// - User sources take precedence over built-in families; that is not counted.
///
/// # Conversion
///
/// A series keeps its name and its labels in either format, whatever its source writes, so a query
/// finds it whichever format was scraped. The types, help texts, values and timestamps are kept as
/// far as both formats have them:
///
/// | from OpenMetrics to text 0.0.4 | |
/// |---|---|
/// | `# UNIT`, exemplars | are left out |
/// | `_created` of a counter, a histogram or a summary | becomes a family of gauges |
/// | info, state sets, gauge histograms | become families of gauges |
/// | timestamps | are rounded to milliseconds |
///
/// | from text 0.0.4 to OpenMetrics | |
/// |---|---|
/// | a counter whose name does not end in `_total`, or for whose name without it there is another family | becomes a family of unknown type |
/// | counters, histograms and summaries that OpenMetrics refuses: a value that is NaN or negative, buckets that do not ascend, or do not end at `+Inf` with the count, a sum without a count, a quantile beyond 1, other families with the names of their series | become families of unknown type, one for each name |
/// | `_created` in a family of gauges beside its counter, histogram or summary | becomes a part of that family |
/// | `le` and `quantile` | are written as canonical numbers: `le="1"` as `le="1.0"` |
/// | series that are not grouped by their labels | are grouped |
/// | a series that comes twice | is written once; the other is counted as `duplicate` |
/// | comments | are left out |
///
/// In both directions, characters of a name outside of the classic alphabet become underscores, and
/// infinite values are written as `+Inf` and `-Inf`.
///
/// A line that is malformed costs its own family: it is left out, the other families and sources
/// are served, the line is counted as `task_http_scrape_errors_total{cause="malformed"}`, and a
/// warning in the log names the place where the source was added, the line and the reason. The same
/// one is logged once, until it changes. A text that needs no conversion is not parsed, and is
/// served as it is.
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
/// A registry of `prometheus-client`, in whichever version the service has:
///
/// ```
/// # #[cfg(feature = "prometheus-client")] {
/// use prometheus_client::{encoding::text::encode, registry::Registry};
/// use task_http::openmetrics_source;
///
/// let registry = Registry::default(); // with the metrics of the service
/// let source = openmetrics_source(move || {
///     let mut text = String::new();
///     encode(&mut text, &registry).expect("writing to a string does not fail");
///     text
/// });
/// # drop(source);
/// # }
/// ```
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

/// The sources of one server, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

/// A source of a server.
pub(crate) struct Source {
    source: Box<dyn MetricsSource>,
    formats: &'static [Format],
    /// Where it was added: what tells sources apart in the log.
    place: &'static Location<'static>,
    /// What was wrong with the text the last time, so that it is not logged with each scrape.
    last_fault: Mutex<Option<Fault>>,
}

impl Sources {
    /// Adds a source that was added to the builder at `place`.
    ///
    /// # Errors
    ///
    /// If it has no format.
    pub(crate) fn add(
        &mut self,
        source: impl MetricsSource,
        place: &'static Location<'static>,
    ) -> Result<(), HttpErrorKind> {
        let formats = source.formats();
        if formats.is_empty() {
            return Err(HttpErrorKind::NoFormat(place));
        }
        let (source, last_fault) = (Box::new(source), Mutex::default());
        self.0.push(Source { source, formats, place, last_fault });
        Ok(())
    }

    /// Returns the sources.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }
}

impl Source {
    /// Returns the format in which this source is encoded where `wanted` is served: the same one,
    /// if it writes that.
    pub(crate) fn format(&self, wanted: Format) -> Format {
        if self.formats.contains(&wanted) { wanted } else { self.formats[0] }
    }

    /// Appends all metrics to `out`.
    pub(crate) fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.source.encode(format, out)
    }

    /// Returns where the source was added: `src/main.rs:42:10`.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Logs that lines of the source are malformed, unless the first of them was so for the same
    /// reason the last time. Its number changes with every new series.
    pub(crate) fn log_malformed(&self, lines: u64, fault: Option<Fault>) {
        let mut last = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *last, fault);
        drop(last);
        if let Some(first) =
            fault.filter(|fault| before.is_none_or(|before| before.reason != fault.reason))
        {
            tracing::warn!(
                source = %self.place,
                lines,
                %first,
                "a metrics source has malformed lines, whose families are left out"
            );
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("place", &self.place).finish_non_exhaustive()
    }
}
