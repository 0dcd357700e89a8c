//! `/metrics`: the sources and the built-in families, encoded on a blocking thread, once for all
//! clients that ask at the same time.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{HeaderMap, StatusCode};
use task_core::{Context, scope::guarded_text};
use task_listen::call_in_task;
use tokio::{runtime::Handle, time::timeout};

use crate::{
    config::{Format, Limits},
    message::{
        negotiate::{self, Negotiated},
        reply::Reply,
    },
    metrics::{
        Source, Sources, convert::convert, exposition::Exposition, families::BuiltInFamilies,
    },
    single_flight::{Completer, SingleFlight},
    stats::{ScrapeError, Stats},
};

/// How much earlier than the scraper's own timeout a scrape ends, at most, so that the response
/// arrives in time.
const SCRAPE_TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// What a scrape needs. An encoding that does not return keeps this alive, and nothing else of the
/// server.
pub(crate) struct Scraper {
    sources: Sources,
    families: BuiltInFamilies,
    stats: Arc<Stats>,
    ctx: Context,
    runtime: Handle,
    /// The length of the last body, since the next one is about as long.
    length: AtomicUsize,
    /// One for each format, plain and compressed.
    flights: [[SingleFlight<Scraped>; 2]; 2],
}

/// The reply of an encoding, without its content type; `None` if a source failed.
type Scraped = Option<Reply>;

impl Scraper {
    /// Makes the scraper of a server that runs on the current runtime.
    pub(crate) fn new(
        sources: Sources,
        families: BuiltInFamilies,
        stats: Arc<Stats>,
        ctx: Context,
    ) -> Self {
        Self {
            sources,
            families,
            stats,
            ctx,
            runtime: Handle::current(),
            length: AtomicUsize::new(0),
            flights: Default::default(),
        }
    }

    /// Responds to one scrape, which the caller has counted.
    pub(crate) async fn respond(self: &Arc<Self>, headers: &HeaderMap, limits: &Limits) -> Reply {
        let Negotiated { format, escaping } = negotiate::format(headers);
        let accepts_gzip = negotiate::accepts_gzip(headers);
        let flight = &self.flights[format.index()][usize::from(accepts_gzip)];
        let pending = flight.join(Duration::ZERO, |completer| {
            let scraper = Arc::clone(self);
            let encode = move || scraper.encode_caught(format, accepts_gzip, completer);
            self.runtime.spawn_blocking(encode);
        });
        match timeout(scrape_timeout(headers, limits), pending.result()).await {
            Err(_) => {
                self.stats.count_scrape_errors(ScrapeError::Timeout, 1);
                let text = "the metrics sources take too long\n";
                Reply::text(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Ok(Some(Some(reply))) => {
                // Clients that share an encoding may have asked for different escapings.
                let content_type = match escaping {
                    Some(escaping) => {
                        format!("{}; escaping={escaping}", format.content_type()).into()
                    }
                    None => format.content_type().into(),
                };
                Reply { content_type, ..reply }
            }
            // There is no result if the runtime is shutting down.
            Ok(Some(None) | None) => {
                Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "a metrics source failed\n")
            }
        }
    }

    /// Encodes on a blocking thread, and completes the run even if a source panics.
    fn encode_caught(&self, format: Format, compresses: bool, completer: Completer<Scraped>) {
        // The source that is at work, for the log.
        let mut current = None;
        let encode = || call_in_task(&self.ctx, || self.encode(format, &mut current));
        let encoded = catch_unwind(AssertUnwindSafe(encode));
        let source = current.map(|source| tracing::field::display(source.place()));
        let scraped = match encoded {
            Ok(Ok(plain)) => {
                Some(Reply::text(StatusCode::OK, "").negotiated_body(plain, compresses))
            }
            Ok(Err(error)) => {
                let error = guarded_text(format_args!("{error:#}"));
                tracing::warn!(source, error, "a metrics source failed");
                self.stats.count_scrape_errors(ScrapeError::Encode, 1);
                None
            }
            Err(_) => {
                // The panic hook has reported where.
                tracing::warn!(source, "a metrics source panicked");
                self.stats.count_scrape_errors(ScrapeError::Panic, 1);
                None
            }
        };
        completer.complete(scraped);
    }

    /// Encodes the sources one after the other into one body, and converts those that do not write
    /// the format. `current` is the source at work.
    ///
    /// # Errors
    ///
    /// That of the first source that fails. The other sources are then not called.
    fn encode<'a>(
        &'a self,
        format: Format,
        current: &mut Option<&'a Source>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut exposition = Exposition::new(format, self.length.load(Ordering::Relaxed));
        let mut buffer = Vec::new();
        for source in self.sources.iter() {
            *current = Some(source);
            buffer.clear();
            let written = source.format(format);
            source.encode(written, &mut buffer)?;
            let mut left_out = 0;
            if written != format {
                let converted = convert(&buffer, written, |family| exposition.has(family));
                source.log_malformed(converted.malformed, converted.fault);
                self.stats.count_scrape_errors(ScrapeError::Malformed, converted.malformed);
                left_out = converted.duplicates;
                buffer = converted.text.into_bytes();
            }
            left_out += exposition.add(&buffer);
            self.stats.count_scrape_errors(ScrapeError::Duplicate, left_out);
        }
        *current = None;
        // Last, so that user sources take precedence. That is not counted as an error, since many
        // registries have the families of the process.
        exposition.add(self.families.encode(format, &self.runtime).as_bytes());
        let body = exposition.finish();
        self.length.store(body.len(), Ordering::Relaxed);
        Ok(body)
    }
}

impl fmt::Debug for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraper").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// Returns how long this scrape may take: the limit, or less if the scraper announces less.
fn scrape_timeout(headers: &HeaderMap, limits: &Limits) -> Duration {
    let announced = headers.get("x-prometheus-scrape-timeout-seconds");
    let announced = announced.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let announced = announced.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match announced.filter(|announced| !announced.is_zero()) {
        Some(announced) => {
            limits.scrape_timeout.min(announced - SCRAPE_TIMEOUT_MARGIN.min(announced / 4))
        }
        None => limits.scrape_timeout,
    }
}
