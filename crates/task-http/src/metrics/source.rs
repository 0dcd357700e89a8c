//! Where `/metrics` gets the service's own numbers from: one small trait, so that no registry is a dependency.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::config::Format;

#[cfg(feature = "metrics-exporter-prometheus")]
mod metrics_exporter_prometheus;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "prometheus-client")]
mod prometheus_client;

/// Something that can write metrics, such as a registry.
///
/// With the feature of the same name, the registries of `prometheus-client` and `prometheus` and the handle of
/// `metrics-exporter-prometheus` are sources; for anything else a closure does: [`text_source`],
/// [`openmetrics_source`].
///
/// Several sources of one server are joined into one answer. Two rules follow: there must be a format that all of
/// them can write, and a metric family that two of them write is taken from the one that was added first.
pub trait MetricsSource: Send + Sync + 'static {
    /// Returns the formats that [`encode`](Self::encode) can write. It is asked once.
    fn formats(&self) -> &'static [Format];

    /// Appends everything to `out` in `format`, one of [`formats`](Self::formats).
    ///
    /// It is called on threads of the runtime's blocking pool, never more than two at a time for one format, and may
    /// take its time: a scrape that waits too long is answered without it. It cannot be interrupted, though, so it
    /// must end.
    ///
    /// For [`Format::OpenMetrics`] a closing `# EOF` may be written or left out.
    ///
    /// # Errors
    ///
    /// Anything. The scrape is then answered with 500, and the error is logged; what was written is discarded. A
    /// panic counts as an error.
    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()>;
}

/// Makes a source of a closure that returns everything in the Prometheus text format, version 0.0.4.
///
/// ```
/// # use task_http::{MetricsSource, text_source};
/// let source = text_source(|| String::from("# TYPE jobs_waiting gauge\njobs_waiting 3\n"));
/// ```
pub fn text_source<F>(render: F) -> ClosureSource<F>
where
    F: Fn() -> String + Send + Sync + 'static,
{
    ClosureSource { formats: &[Format::Text], render }
}

/// Makes a source of a closure that returns everything in the OpenMetrics text format, version 1.0.0, with or without
/// its `# EOF`.
pub fn openmetrics_source<F>(render: F) -> ClosureSource<F>
where
    F: Fn() -> String + Send + Sync + 'static,
{
    ClosureSource { formats: &[Format::OpenMetrics], render }
}

/// A source made of a closure: what [`text_source`] and [`openmetrics_source`] return.
#[derive(Clone)]
#[must_use = "hand it to `HttpTask::metrics`"]
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

/// For a registry that is still registered into while it is served. Locked for the time of an encode.
impl<S: MetricsSource + ?Sized> MetricsSource for Mutex<S> {
    fn formats(&self) -> &'static [Format] {
        self.lock().unwrap_or_else(PoisonError::into_inner).formats()
    }

    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.lock().unwrap_or_else(PoisonError::into_inner).encode(format, out)
    }
}

/// For a registry that is still registered into while it is served. Locked for reading for the time of an encode.
impl<S: MetricsSource + ?Sized> MetricsSource for RwLock<S> {
    fn formats(&self) -> &'static [Format] {
        self.read().unwrap_or_else(PoisonError::into_inner).formats()
    }

    fn encode(&self, format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        self.read().unwrap_or_else(PoisonError::into_inner).encode(format, out)
    }
}
