//! The counters of the server: connections, requests, scrapes and reloads.
//!
//! The rooms above count, and the built-in families read. All counters are relaxed atomics: a
//! scrape may see one of two related counters before the other, which no query over time notices.
//! The number of series is fixed when the server starts, so no client can make it grow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;

use crate::config::{Endpoint, Found};

/// The status codes that the server itself sends; the last entry stands for all other codes,
/// which only user routes send.
const CODES: [&str; 9] = ["200", "204", "401", "403", "404", "405", "500", "503", "other"];

/// The upper bounds of the histogram's buckets, in seconds. The last bucket has no bound.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0];

/// The route label of paths that are not found.
const OTHER: &str = "other";

/// The kinds of files that are read again, as label values.
const RELOADED: [&str; 2] = ["certificate", "credentials"];

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Stats {
    /// One for each endpoint, then for each user route, then one for paths that are not found.
    routes: Vec<RouteStats>,
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// Connections that were closed to make room for another.
    pub(crate) evicted: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) scrapes_in_flight: AtomicUsize,
    /// How many scrapes may be in flight.
    scrape_limit: usize,
    scrape_errors: [AtomicU64; ScrapeError::ALL.len()],
    /// For each of [`RELOADED`]: failed, changed.
    reloads: [[AtomicU64; 2]; RELOADED.len()],
}

/// The requests of one route: by code, and as a histogram of their durations.
#[derive(Debug, Default)]
struct RouteStats {
    name: Box<str>,
    codes: [AtomicU64; CODES.len()],
    /// Not cumulative.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What can go wrong with a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScrapeError {
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
    /// A line of a source that was converted is malformed, and its family was left out.
    Malformed,
}

impl ScrapeError {
    /// All errors, in the order of their discriminants.
    pub(crate) const ALL: [Self; 6] =
        [Self::Encode, Self::Panic, Self::Timeout, Self::Limit, Self::Duplicate, Self::Malformed];

    /// Returns the value of the label `cause`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Duplicate => "duplicate",
            Self::Malformed => "malformed",
        }
    }
}

impl Stats {
    /// Makes the counters of a server with these user routes, which allows `scrape_limit` scrapes
    /// at once.
    pub(crate) fn new<'a>(user_routes: impl Iterator<Item = &'a str>, scrape_limit: usize) -> Self {
        let endpoints = Endpoint::ALL.iter().map(|endpoint| endpoint.as_str());
        let names = endpoints.chain(user_routes).chain([OTHER]);
        let with_name = |name: &str| RouteStats { name: name.into(), ..RouteStats::default() };
        Self {
            routes: names.map(with_name).collect(),
            connections: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            scrapes_in_flight: AtomicUsize::new(0),
            scrape_limit,
            scrape_errors: Default::default(),
            reloads: Default::default(),
        }
    }

    /// Counts one request and its response.
    pub(crate) fn count_request(&self, found: Found<'_>, status: StatusCode, took: Duration) {
        let index = match found {
            Found::Endpoint(endpoint, _) => endpoint.index(),
            Found::Route(number) => Endpoint::ALL.len() + number,
            Found::Nothing => self.routes.len() - 1,
        };
        let route = &self.routes[index];
        let code =
            CODES.iter().position(|code| *code == status.as_str()).unwrap_or(CODES.len() - 1);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        // The buckets are made cumulative when they are read, which happens less often.
        route.codes[code].fetch_add(1, Ordering::Relaxed);
        route.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        route.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// Returns a permit for one more scrape. Above the limit, counts the error and returns `None`.
    pub(crate) fn begin_scrape(self: &Arc<Self>) -> Option<ScrapePermit> {
        // Counted before it is compared, so that two requests cannot both take the last permit.
        // Above the limit, the drop of the permit takes the count back.
        let before = self.scrapes_in_flight.fetch_add(1, Ordering::Relaxed);
        let permit = ScrapePermit(Arc::clone(self));
        if before >= self.scrape_limit {
            self.count_scrape_errors(ScrapeError::Limit, 1);
            return None;
        }
        Some(permit)
    }

    /// Counts errors of scrapes.
    pub(crate) fn count_scrape_errors(&self, error: ScrapeError, count: u64) {
        self.scrape_errors[error as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Returns how often an error occurred.
    pub(crate) fn scrape_errors(&self, error: ScrapeError) -> u64 {
        self.scrape_errors[error as usize].load(Ordering::Relaxed)
    }

    /// Counts a reload of files that changed: they were taken, or could not be used.
    pub(crate) fn count_reload(&self, what: &str, was_taken: bool) {
        if let Some(index) = RELOADED.iter().position(|known| *known == what) {
            self.reloads[index][usize::from(was_taken)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the kind of file, the number of changes, and the number of failed reloads.
    pub(crate) fn reloads(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        RELOADED.into_iter().zip(&self.reloads).map(|(what, [failed, changed])| {
            (what, changed.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
        })
    }

    /// Calls `visit` with the route, the code and the count of each series of requests.
    ///
    /// Code 200 of each route has a series from the start, so that a rate over it has a beginning;
    /// another code gets its series with its first response.
    pub(crate) fn requests(&self, mut visit: impl FnMut(&str, &'static str, u64)) {
        for stats in &self.routes {
            for (code, count) in CODES.into_iter().zip(&stats.codes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 || (code == "200" && *stats.name != *OTHER) {
                    visit(&stats.name, code, count);
                }
            }
        }
    }

    /// Calls `visit` with the route, the cumulative buckets and the sum of each histogram.
    pub(crate) fn durations(&self, mut visit: impl FnMut(&str, &[(f64, u64)], f64)) {
        for stats in &self.routes {
            let mut buckets = [(f64::INFINITY, 0); BOUNDS.len() + 1];
            let mut total = 0;
            for (index, (bucket, count)) in buckets.iter_mut().zip(&stats.buckets).enumerate() {
                total += count.load(Ordering::Relaxed);
                *bucket = (BOUNDS.get(index).copied().unwrap_or(f64::INFINITY), total);
            }
            visit(&stats.name, &buckets, stats.micros.load(Ordering::Relaxed) as f64 / 1e6);
        }
    }
}

/// A scrape in flight, or another request that counts as one. The drop ends it.
pub(crate) struct ScrapePermit(Arc<Stats>);

impl Drop for ScrapePermit {
    fn drop(&mut self) {
        self.0.scrapes_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
