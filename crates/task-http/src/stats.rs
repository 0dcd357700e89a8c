//! What the server counts about itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;

use crate::config::{Endpoint, Found};

/// The status codes that this server gives, with the last one for those that only routes of the user's own give.
const CODES: [&str; 9] = ["200", "204", "401", "403", "404", "405", "500", "503", "other"];
/// The upper bounds of the histogram's buckets, in seconds; one more has none.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0];
/// The route of what is not found.
const OTHER: &str = "other";
/// What has files that are read again.
pub(crate) const RELOADED: [&str; 2] = ["certificate", "credentials"];

/// Counters of requests and of what went wrong with scrapes.
#[derive(Debug)]
pub(crate) struct Stats {
    /// Of the endpoints, of the user's own routes, and of what is not found.
    routes: Vec<RouteStats>,
    pub(crate) scrapes_in_flight: AtomicUsize,
    causes: [AtomicU64; ScrapeProblem::ALL.len()],
    pub(crate) handshakes_failed: AtomicU64,
    /// For each of [`RELOADED`]: failed, changed.
    reloads: [[AtomicU64; 2]; RELOADED.len()],
}

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
    /// Makes them for a server that has these routes beside its endpoints.
    pub(crate) fn new<'a>(own: impl Iterator<Item = &'a str>) -> Self {
        let endpoints = Endpoint::ALL.iter().map(|endpoint| endpoint.as_str());
        let names = endpoints.chain(own).chain([OTHER]);
        let with_name = |name: &str| RouteStats { name: name.into(), ..RouteStats::default() };
        Self {
            routes: names.map(with_name).collect(),
            scrapes_in_flight: AtomicUsize::new(0),
            causes: Default::default(),
            handshakes_failed: AtomicU64::new(0),
            reloads: Default::default(),
        }
    }

    /// Counts one answered request.
    pub(crate) fn answered(&self, found: Found<'_>, status: StatusCode, took: Duration) {
        let index = match found {
            Found::Endpoint(wanted, _) => Endpoint::ALL.iter().position(|known| *known == wanted),
            Found::Own(number) => Some(Endpoint::ALL.len() + number),
            Found::Nothing => None,
        };
        let route = &self.routes[index.unwrap_or(self.routes.len() - 1)];
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

    /// Counts files that were read again: good and changed, or not good.
    pub(crate) fn reloaded(&self, what: &str, is_good: bool) {
        if let Some(index) = RELOADED.iter().position(|known| *known == what) {
            self.reloads[index][usize::from(is_good)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how often something changed, and how often what changed was not good.
    pub(crate) fn reloads(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        RELOADED.into_iter().zip(&self.reloads).map(|(what, [failed, changed])| {
            (what, changed.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
        })
    }

    /// Calls `visit` with the route, the code and the count of each series of requests: those that were met, and the
    /// good ones of every route from the start.
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

/// One of the requests that count against the limit of scrapes, for as long as it lives.
pub(crate) struct Scraping(Arc<Stats>);

impl Scraping {
    /// Counts one more, unless there are `limit` already.
    pub(crate) fn begin(stats: &Arc<Stats>, limit: usize) -> Option<Self> {
        let before = stats.scrapes_in_flight.fetch_add(1, Ordering::Relaxed);
        let scraping = Self(Arc::clone(stats));
        (before < limit).then_some(scraping)
    }
}

impl Drop for Scraping {
    fn drop(&mut self) {
        self.0.scrapes_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
