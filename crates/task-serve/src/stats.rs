//! The counters of the server.

use std::{
    fmt::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// The counters of a [`ServeTask`](crate::ServeTask), to be read while it runs and after it. A
/// clone shows the same counters.
#[derive(Clone, Debug)]
pub struct ServeStats(pub(crate) Arc<Stats>);

#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) upgraded: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) is_starved: AtomicBool,
    pub(crate) drain_millis: AtomicU64,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn subtract(counter: &AtomicU64) {
        counter.fetch_sub(1, Relaxed);
    }
}

impl ServeStats {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Returns how many connections are open, upgraded ones among them.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Relaxed)
    }

    /// Returns how many requests are in flight: from their complete header to the end of the
    /// answer.
    pub fn in_flight(&self) -> u64 {
        self.0.in_flight.load(Relaxed)
    }

    /// Returns how many requests have begun.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Relaxed)
    }

    /// Returns how many connections the stop has cut.
    pub fn cut(&self) -> u64 {
        self.0.cut.load(Relaxed)
    }

    /// Writes the counters as metrics in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// Those of `out`. A `String` has none.
    pub fn write_metrics(&self, out: &mut impl Write) -> fmt::Result {
        let stats = &*self.0;
        let mut family = |name: &str, kind: &str, help: &str, value: u64| {
            writeln!(out, "# HELP task_serve_{name} {help}")?;
            writeln!(out, "# TYPE task_serve_{name} {kind}")?;
            writeln!(out, "task_serve_{name} {value}")
        };
        family("connections", "gauge", "Open connections.", self.connections())?;
        family(
            "requests_in_flight",
            "gauge",
            "Requests without their whole answer.",
            self.in_flight(),
        )?;
        family("requests_total", "counter", "Requests that have begun.", self.requests())?;
        let accepted = stats.accepted.load(Relaxed);
        family("connections_accepted_total", "counter", "Accepted connections.", accepted)
    }
}
