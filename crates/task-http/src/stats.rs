//! What the server counts about itself.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use hyper::StatusCode;

use crate::Endpoint;

/// The status codes that this server gives, with the last one for those that it does not.
const CODES: [&str; 7] = ["200", "204", "404", "405", "500", "503", "other"];
/// The upper bounds of the histogram's buckets, in seconds; one more has none.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0];
/// One route more than there are endpoints, for what is not found.
const ROUTES: usize = Endpoint::ALL.len() + 1;

/// Counters of requests and of what went wrong with scrapes.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    routes: [RouteStats; ROUTES],
    pub(crate) scrapes_in_flight: AtomicUsize,
    causes: [AtomicU64; ScrapeProblem::ALL.len()],
}

#[derive(Debug, Default)]
struct RouteStats {
    codes: [AtomicU64; CODES.len()],
    /// Not cumulative.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What can go wrong with a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScrapeProblem {
    /// A source returned an error.
    Encode,
    /// A source panicked.
    Panic,
    /// The sources took too long.
    Timeout,
    /// Too many scrapes at once.
    Limit,
    /// A family was left out, since an earlier source has it too.
    Duplicate,
}

impl ScrapeProblem {
    pub(crate) const ALL: [Self; 5] =
        [Self::Encode, Self::Panic, Self::Timeout, Self::Limit, Self::Duplicate];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Duplicate => "duplicate",
        }
    }
}

impl Stats {
    /// Counts one answered request.
    pub(crate) fn answered(&self, endpoint: Option<Endpoint>, status: StatusCode, took: Duration) {
        let index =
            endpoint.and_then(|wanted| Endpoint::ALL.into_iter().position(|known| known == wanted));
        let route = &self.routes[index.unwrap_or(ROUTES - 1)];
        let code =
            CODES.iter().position(|code| *code == status.as_str()).unwrap_or(CODES.len() - 1);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        route.codes[code].fetch_add(1, Ordering::Relaxed);
        route.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        route.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts problems with scrapes.
    pub(crate) fn problem(&self, problem: ScrapeProblem, times: u64) {
        self.causes[problem as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// Returns how often a problem was met.
    pub(crate) fn problems(&self, problem: ScrapeProblem) -> u64 {
        self.causes[problem as usize].load(Ordering::Relaxed)
    }

    /// Calls `visit` with the route, the code and the count of each series of requests: those that were met, and the
    /// good ones of every endpoint from the start.
    pub(crate) fn requests(&self, mut visit: impl FnMut(&'static str, &'static str, u64)) {
        for (route, stats) in self.named() {
            for (code, count) in CODES.into_iter().zip(&stats.codes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 || (code == "200" && route != "other") {
                    visit(route, code, count);
                }
            }
        }
    }

    /// Calls `visit` with the route, the cumulative buckets and the sum of each histogram.
    pub(crate) fn durations(&self, mut visit: impl FnMut(&'static str, &[(f64, u64)], f64)) {
        for (route, stats) in self.named() {
            let mut buckets = [(f64::INFINITY, 0); BOUNDS.len() + 1];
            let mut total = 0;
            for (index, (bucket, count)) in buckets.iter_mut().zip(&stats.buckets).enumerate() {
                total += count.load(Ordering::Relaxed);
                *bucket = (BOUNDS.get(index).copied().unwrap_or(f64::INFINITY), total);
            }
            visit(route, &buckets, stats.micros.load(Ordering::Relaxed) as f64 / 1e6);
        }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &RouteStats)> {
        Endpoint::ALL.iter().map(|endpoint| endpoint.as_str()).chain(["other"]).zip(&self.routes)
    }
}
