//! `task_http_*` and `task_health_*`: the server about itself.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    health::check::{Check, Probe, Verdict},
    metrics::encode::{Encoder, Kind},
    serve::connections::Connections,
    stats::{ScrapeProblem, Stats},
};

pub(super) fn encode(
    stats: &Stats,
    connections: &Connections,
    checks: &[Arc<Check>],
    encoder: &mut Encoder<'_>,
) {
    let mut family = encoder.family("task_http_requests", Kind::Counter, "Requests answered.");
    stats.requests(|route, code, count| family.sample(&[("route", route), ("code", code)], count));

    let help = "Time from the complete header of a request to its answer, before it is sent.";
    let mut family = encoder.family("task_http_request_duration_seconds", Kind::Histogram, help);
    stats.durations(|route, buckets, sum| family.histogram(&[("route", route)], buckets, sum));

    let help = "Connections that are open.";
    encoder.family("task_http_connections", Kind::Gauge, help).sample(&[], connections.count());

    let help = "Connections closed to make room for others, errors of accepting one, failed TLS handshakes.";
    let mut family = encoder.family("task_http_connections_rejected", Kind::Counter, help);
    for (reason, count) in [
        ("limit", &connections.evicted),
        ("accept_error", &connections.accept_errors),
        ("handshake", &stats.handshakes_failed),
    ] {
        family.sample(&[("reason", reason)], count.load(Ordering::Relaxed));
    }

    let help = "Requests for metrics or tasks that are being answered.";
    let in_flight = stats.scrapes_in_flight.load(Ordering::Relaxed);
    encoder.family("task_http_scrapes_in_flight", Kind::Gauge, help).sample(&[], in_flight);

    let help = "What went wrong with scrapes: sources that failed, panicked or took too long, \
                too many at once, families left out because an earlier source has them too.";
    let mut family = encoder.family("task_http_scrape_errors", Kind::Counter, help);
    for problem in ScrapeProblem::ALL {
        family.sample(&[("cause", problem.as_str())], stats.problems(problem));
    }

    let help = "Files of certificates and credentials that were read again, because they changed.";
    let mut family = encoder.family("task_http_reloads", Kind::Counter, help);
    for (what, changed, failed) in stats.reloads() {
        family.sample(&[("what", what), ("outcome", "changed")], changed);
        family.sample(&[("what", what), ("outcome", "failed")], failed);
    }

    let help = "Whether a health check passed when it was last run.";
    let mut family = encoder.family("task_health_check_status", Kind::Gauge, help);
    for check in checks {
        let Some(verdict) = check.last() else { continue };
        let probe = match check.probe {
            Probe::Live => "livez",
            Probe::Ready => "readyz",
        };
        family.sample(&[("probe", probe), ("check", &check.name)], verdict == Verdict::Passed);
    }
}
