//! The counters of the server.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

/// The counters of a [`ServeTask`](crate::ServeTask), to be read while it runs and after it. A
/// clone shows the same counters.
///
/// It displays as metrics in the text format of Prometheus, whose names begin with `task_serve_`: a
/// source for `task-http` is `text_source(move || stats.to_string())`.
#[derive(Clone, Debug)]
pub struct ServeStats(pub(crate) Arc<Stats>);

#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) requests: AtomicU64,
    /// Of the requests, those that have ended.
    ended: AtomicU64,
    pub(crate) upgraded: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    #[cfg(feature = "tls")]
    pub(crate) handshakes_failed: AtomicU64,
    #[cfg(feature = "tls")]
    pub(crate) reloads: AtomicU64,
    #[cfg(feature = "tls")]
    pub(crate) failed_reloads: AtomicU64,
    pub(crate) is_starved: AtomicBool,
    pub(crate) stop_millis: AtomicU64,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Counts the end of a request that was counted before. Who sees the end sees the request, too.
    pub(crate) fn request_ended(&self) {
        self.ended.fetch_add(1, Release);
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
    ///
    /// The count is that of one instant. Only where requests end again and again while it is taken,
    /// it can have some of those in it, and be higher than it ever was; it is never too low.
    pub fn in_flight(&self) -> u64 {
        let Stats { ended, requests, .. } = &*self.0;
        // Each load stays before the next one.
        difference(|| ended.load(Acquire), || requests.load(Acquire))
    }

    /// Returns how many requests have come, each counted once its header was complete.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Relaxed)
    }

    /// Returns how many connections the stop has cut.
    pub fn cut(&self) -> u64 {
        self.0.cut.load(Relaxed)
    }

    fn write_metrics(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &*self.0;
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let upgraded = load(&stats.upgraded);
        let mut family = |name: &str, kind: &str, help: &str, values: &[(&str, f64)]| {
            writeln!(out, "# HELP task_serve_{name} {help}")?;
            writeln!(out, "# TYPE task_serve_{name} {kind}")?;
            values
                .iter()
                .try_for_each(|(labels, value)| writeln!(out, "task_serve_{name}{labels} {value}"))
        };
        let open = load(&stats.connections).saturating_sub(upgraded);
        let states = [("{state=\"http\"}", open as f64), ("{state=\"upgraded\"}", upgraded as f64)];
        family("connections", "gauge", "Open connections.", &states)?;
        let is_starved = f64::from(u8::from(stats.is_starved.load(Relaxed)));
        let gauges = [
            ("requests_in_flight", "Requests without their whole answer.", self.in_flight() as f64),
            (
                "starved",
                "1 while connections cannot be accepted, for want of descriptors.",
                is_starved,
            ),
            ("stop_seconds", "How long the stop took.", load(&stats.stop_millis) as f64 / 1e3),
        ];
        for (name, help, value) in gauges {
            family(name, "gauge", help, &[("", value)])?;
        }
        let counters = [
            ("requests_total", "Requests whose header was complete.", &stats.requests),
            ("connections_accepted_total", "Accepted connections.", &stats.accepted),
            ("connections_evicted_total", "Connections closed to make room.", &stats.evicted),
            (
                "refused_total",
                "Requests and connections refused, by a limit or the stop.",
                &stats.refused,
            ),
            ("cut_total", "Requests and connections cut by the stop.", &stats.cut),
            ("panics_total", "Handlers that panicked.", &stats.panics),
            ("accept_errors_total", "Failed accepts.", &stats.accept_errors),
            #[cfg(feature = "tls")]
            ("handshakes_failed_total", "Failed TLS handshakes.", &stats.handshakes_failed),
            #[cfg(feature = "tls")]
            ("reloads_total", "Certificates that were taken after a change.", &stats.reloads),
            #[cfg(feature = "tls")]
            (
                "reloads_failed_total",
                "Changed files that could not be used.",
                &stats.failed_reloads,
            ),
        ];
        counters.into_iter().try_for_each(|(name, help, counter)| {
            family(name, "counter", help, &[("", load(counter) as f64)])
        })
    }
}

/// Returns how many have begun and not ended, from two counters that only grow.
///
/// The ends are read first, so that one that ends meanwhile is not subtracted before it was added.
/// If none has ended until the other counter was read, the difference was true at that instant.
fn difference(mut ended: impl FnMut() -> u64, mut begun: impl FnMut() -> u64) -> u64 {
    const TRIES: usize = 4;
    let mut before = ended();
    for _ in 1..TRIES {
        let difference = begun().saturating_sub(before);
        let after = ended();
        if after == before {
            return difference;
        }
        before = after;
    }
    begun().saturating_sub(before)
}

/// The counters as metrics, in the text format of Prometheus.
impl fmt::Display for ServeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_metrics(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_during_the_count_is_not_in_it() {
        let (mut ended, mut begun) = ([3, 5, 5].into_iter(), [10, 11].into_iter());
        let counted = difference(|| ended.next().unwrap_or(0), || begun.next().unwrap_or(0));
        assert_eq!((counted, ended.next(), begun.next()), (6, None, None));
    }

    #[test]
    fn a_count_has_an_end_although_requests_end_all_the_while() {
        // Each read of the one finds one more of both: one is in flight.
        let ended = std::cell::Cell::new(0);
        let next = || ended.replace(ended.get() + 1);
        let difference = difference(next, || ended.get() + 1);
        // One has ended between the two last reads.
        assert_eq!((difference, ended.get()), (2, 4));
    }
}
