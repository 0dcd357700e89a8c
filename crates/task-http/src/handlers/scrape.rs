//! `/metrics`: the sources' and our own families, encoded off the runtime's threads, once for all who ask at a time.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{HeaderMap, StatusCode, body::Bytes};
use tokio::{runtime::Handle, time::timeout};

use crate::{
    config::{Format, limits::Limits},
    flight::{Flight, Landing},
    message::{
        gzip::gzip,
        negotiate::{self, Negotiated},
        reply::Reply,
    },
    metrics::{MetricsSource, families::OwnFamilies, join::Joined},
    stats::{ScrapeProblem, Scraping, Stats},
};

/// What is taken off the time that a scraper says it has, for the way back.
const MARGIN: Duration = Duration::from_millis(500);

/// Everything that a scrape needs. The encoding thread keeps it alive, and with it nothing but this.
pub(crate) struct Scraper {
    sources: Vec<Box<dyn MetricsSource>>,
    offered: Vec<Format>,
    own: OwnFamilies,
    stats: Arc<Stats>,
    runtime: Handle,
    /// Of the last answer, since the next is about as long.
    length: AtomicUsize,
    /// One for each format, plain and compressed.
    flights: [[Flight<Scraped>; 2]; 2],
}

/// The result of an encoding.
#[derive(Clone)]
enum Scraped {
    Body { bytes: Bytes, is_gzip: bool },
    Failed,
}

impl Scraper {
    /// Makes the scraper of a running server.
    ///
    /// # Errors
    ///
    /// If there is no format that all sources can write.
    pub(crate) fn new(
        sources: Vec<Box<dyn MetricsSource>>,
        own: OwnFamilies,
        stats: Arc<Stats>,
    ) -> anyhow::Result<Self> {
        let mut offered = vec![Format::Text, Format::OpenMetrics];
        for source in &sources {
            offered.retain(|format| source.formats().contains(format));
        }
        anyhow::ensure!(!offered.is_empty(), "the metrics sources have no format in common");
        Ok(Self {
            sources,
            offered,
            own,
            stats,
            runtime: Handle::current(),
            length: AtomicUsize::new(0),
            flights: Default::default(),
        })
    }

    /// Answers one scrape.
    pub(crate) async fn answer(self: &Arc<Self>, headers: &HeaderMap, limits: &Limits) -> Reply {
        let Some(_scraping) = Scraping::begin(&self.stats, limits.scrapes_at_once()) else {
            self.stats.problem(ScrapeProblem::Limit, 1);
            return unavailable("too many scrapes at once\n");
        };
        let Negotiated { format, escaping } = negotiate::format(headers, &self.offered);
        let wants_gzip = negotiate::accepts_gzip(headers);
        let flight = &self.flights[format.index()][usize::from(wants_gzip)];
        let boarded = flight.join(Duration::ZERO, |landing| {
            let scraper = Arc::clone(self);
            self.runtime.spawn_blocking(move || scraper.encode_caught(format, wants_gzip, landing));
        });
        match timeout(scrape_time(headers, limits), boarded.landed()).await {
            Err(_) => {
                self.stats.problem(ScrapeProblem::Timeout, 1);
                unavailable("the metrics sources take too long\n")
            }
            Ok(Some(Scraped::Body { bytes, is_gzip })) => {
                let content_type = match escaping {
                    Some(escaping) => {
                        format!("{}; escaping={escaping}", format.content_type()).into()
                    }
                    None => format.content_type().into(),
                };
                Reply {
                    content_type,
                    is_gzip,
                    vary: Some("Accept, Accept-Encoding"),
                    ..Reply::text(StatusCode::OK, bytes)
                }
            }
            // Without a result: the runtime is going away.
            Ok(Some(Scraped::Failed) | None) => {
                Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "a metrics source failed\n")
            }
        }
    }

    fn encode_caught(&self, format: Format, wants_gzip: bool, landing: Landing<Scraped>) {
        let encoded = catch_unwind(AssertUnwindSafe(|| self.encode(format)));
        let scraped = match encoded {
            Ok(Ok(plain)) => {
                let (body, is_gzip) = if wants_gzip { gzip(plain) } else { (plain, false) };
                Scraped::Body { bytes: body.into(), is_gzip }
            }
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "a metrics source failed");
                self.stats.problem(ScrapeProblem::Encode, 1);
                Scraped::Failed
            }
            Err(_) => {
                // The panic hook has said where.
                tracing::warn!("a metrics source panicked");
                self.stats.problem(ScrapeProblem::Panic, 1);
                Scraped::Failed
            }
        };
        landing.land(scraped);
    }

    fn encode(&self, format: Format) -> anyhow::Result<Vec<u8>> {
        let mut joined = Joined::new(format, self.length.load(Ordering::Relaxed));
        let mut buffer = Vec::new();
        for source in &self.sources {
            buffer.clear();
            source.encode(format, &mut buffer)?;
            let left_out = joined.add(&buffer);
            self.stats.problem(ScrapeProblem::Duplicate, left_out);
        }
        // Last, and so the ones that give way: a registry with families of the process is common, and no mistake.
        joined.add(self.own.encode(format, &self.runtime, &self.stats).as_bytes());
        let body = joined.finish();
        self.length.store(body.len(), Ordering::Relaxed);
        Ok(body)
    }
}

impl fmt::Debug for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraper").field("offered", &self.offered).finish_non_exhaustive()
    }
}

/// How long this scrape may take: our own limit, or less if the scraper has less time.
fn scrape_time(headers: &HeaderMap, limits: &Limits) -> Duration {
    let said = headers.get("x-prometheus-scrape-timeout-seconds");
    let said = said.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match said.filter(|said| !said.is_zero()) {
        Some(said) => limits.scrape_time.min(said - MARGIN.min(said / 4)),
        None => limits.scrape_time,
    }
}

fn unavailable(why: &'static str) -> Reply {
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, why)
}
