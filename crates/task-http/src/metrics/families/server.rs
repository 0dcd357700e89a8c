//! `task_http_*` and `task_health_*`: the families of the server.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    health::check::{Check, Probe},
    metrics::encode::{Encoder, Kind},
    stats::{ScrapeError, Stats},
};

/// Writes the families.
pub(super) fn encode(stats: &Stats, checks: &[Arc<Check>], encoder: &mut Encoder<'_>) {
    let mut family =
        encoder.family("task_http_requests", Kind::Counter, "Requests that got a response.");
    stats.requests(|route, code, count| family.sample(&[("route", route), ("code", code)], count));

    let help = "Time from the complete header of a request to the start of its response.";
    let mut family = encoder.family("task_http_request_duration_seconds", Kind::Histogram, help);
    stats.durations(|route, buckets, sum| family.histogram(&[("route", route)], buckets, sum));

    let help = "Open connections.";
    encoder
        .family("task_http_connections", Kind::Gauge, help)
        .sample(&[], stats.connections.load(Ordering::Relaxed));

    let help = "Connections evicted for others, accept errors, and failed TLS handshakes.";
    let mut family = encoder.family("task_http_connections_rejected", Kind::Counter, help);
    for (reason, count) in [
        ("limit", &stats.evicted),
        ("accept_error", &stats.accept_errors),
        ("handshake", &stats.handshakes_failed),
    ] {
        family.sample(&[("reason", reason)], count.load(Ordering::Relaxed));
    }

    let help = "Requests for metrics, tasks and user routes in progress.";
    let in_flight = stats.scrapes_in_flight.load(Ordering::Relaxed);
    encoder.family("task_http_scrapes_in_flight", Kind::Gauge, help).sample(&[], in_flight);

    let help = "Errors of scrapes: sources that failed, panicked or timed out, too many scrapes at \
                once, families left out because an earlier source has them, and malformed lines.";
    let mut family = encoder.family("task_http_scrape_errors", Kind::Counter, help);
    for error in ScrapeError::ALL {
        family.sample(&[("cause", error.as_str())], stats.scrape_errors(error));
    }

    let help = "Reloads of certificates and credentials whose files changed.";
    let mut family = encoder.family("task_http_reloads", Kind::Counter, help);
    for (what, changed, failed) in stats.reloads() {
        family.sample(&[("what", what), ("outcome", "changed")], changed);
        family.sample(&[("what", what), ("outcome", "failed")], failed);
    }

    let help = "Whether the last run of a health check passed.";
    let mut family = encoder.family("task_health_check_status", Kind::Gauge, help);
    for check in checks {
        let Some(has_passed) = check.has_passed() else { continue };
        let probe = match check.probe {
            Probe::Live => "livez",
            Probe::Ready => "readyz",
        };
        family.sample(&[("probe", probe), ("check", &check.name)], has_passed);
    }
}
