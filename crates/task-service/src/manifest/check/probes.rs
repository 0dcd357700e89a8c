//! The probes: what they ask, and when the kubelet acts by them.

use std::time::Duration;

use super::{
    super::{Findings, Place, place::shown},
    pod::Pod,
    time,
};
use crate::platform::PodStop;

const STARTUP: &str = "startupProbe";
const READINESS: &str = "readinessProbe";
const LIVENESS: &str = "livenessProbe";

pub(super) fn check(pod: &Pod<'_, '_>, stop: &PodStop, findings: &mut Findings) {
    for name in [STARTUP, READINESS, LIVENESS] {
        if let Some(probe) = pod.container.at(name) {
            check_target(pod, name, &probe, findings);
        }
    }
    check_presence(pod, findings);
    check_start(pod, findings);
    check_stop(pod, stop, findings);
}

fn check_target(pod: &Pod<'_, '_>, name: &str, probe: &Place<'_>, findings: &mut Findings) {
    if let Some(socket) = probe.at("tcpSocket") {
        let text = "the system takes connections also while the service is blocked or not ready: \
                    ask by httpGet";
        findings.advice("probe-kind", &socket, text);
    }
    let Some(get) = probe.at("httpGet") else { return };
    if let Some(host) = get.at("host") {
        let text = "the kubelet then asks that host, and not the pod";
        findings.error("probe-host", &host, text);
        return;
    }
    let Some(place) = get.at("port") else { return };
    let text = place.node.text().unwrap_or_default();
    let Some(port) = text.parse().ok().or_else(|| pod.port(text)) else {
        let text = format!("the container has no port of the name {}", shown(text));
        return findings.error("probe-port", &place, text);
    };
    if pod.is_probe_port(port) {
        check_path(name, &get, findings);
    } else if pod.is_served(port) {
        let text = format!(
            "this is a port of the API, which does not know whether the group is ready: the probes \
             are at {}",
            pod.service.probe_port
        );
        findings.advice("probe-port", &place, text);
    } else {
        let text = format!("nothing listens there: the probes are at {}", pod.service.probe_port);
        findings.error("probe-port", &place, text);
    }
}

fn check_path(name: &str, get: &Place<'_>, findings: &mut Findings) {
    let path = get.text("path").unwrap_or("/");
    let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    let place = get.at_or_here("path");
    match (name, first) {
        (STARTUP, "startupz" | "readyz")
        | (READINESS, "readyz")
        | (LIVENESS, "livez" | "healthz") => {}
        (STARTUP, "livez" | "healthz") => {
            let text = "it passes before the service is ready: ask /startupz";
            findings.advice("probe-path", &place, text);
        }
        (READINESS, "livez" | "healthz" | "startupz") => {
            let text = "it also passes while the service is not ready or stops: ask /readyz";
            findings.error("probe-path", &place, text);
        }
        (LIVENESS, "readyz" | "startupz") => {
            let text = "it also fails while the service is healthy and not ready, and the \
                        container is restarted: ask /livez";
            findings.error("probe-path", &place, text);
        }
        (_, _) => {
            let text = format!("{} is not the path of a probe of the service", shown(path));
            findings.error("probe-path", &place, text);
        }
    }
}

fn check_presence(pod: &Pod<'_, '_>, findings: &mut Findings) {
    let place = &pod.container;
    if place.at(READINESS).is_none() {
        let text = "without a readiness probe a pod counts as ready when it begins to start, for \
                    clients and in rollouts";
        match pod.has_traffic {
            true => findings.error("readiness", place, text),
            false => findings.advice("readiness", place, text),
        }
    }
    if place.at(LIVENESS).is_none() {
        let text = "without a liveness probe a service that is blocked is not restarted";
        findings.advice("liveness", place, text);
    }
}

/// The kubelet may restart only what has missed its own time to start.
fn check_start(pod: &Pod<'_, '_>, findings: &mut Findings) {
    let name = if pod.container.at(STARTUP).is_some() { STARTUP } else { LIVENESS };
    let Some(probe) = pod.container.at(name) else { return };
    let given = probe.seconds("initialDelaySeconds", 0).saturating_add(span(&probe));
    let start = pod.service.start_timeout;
    if given < start {
        let more = if name == LIVENESS { "; a startup probe keeps it waiting" } else { "" };
        let text = format!(
            "the container is restarted {} after its start, and the service may take {} to be \
             ready{more}",
            time(given),
            time(start)
        );
        findings.error("start", &probe, text);
    }
}

/// In a stop that the service began itself, the kubelet goes on with its probes, and its signal
/// would cut the cleanups short: the probes are answered until those begin.
fn check_stop(pod: &Pod<'_, '_>, stop: &PodStop, findings: &mut Findings) {
    let Some(probe) = pod.container.at(LIVENESS) else { return };
    let (_, Some(Ok(fit))) = pod.fit(stop) else { return };
    let silent = stop.cleanups(fit.total).saturating_add(stop.reserve());
    let given = span(&probe);
    if given < silent {
        let text = format!(
            "when the service stops by itself, cleanups and the end take up to {} in which probes \
             have no answer, and the container is stopped after {} of that",
            time(silent),
            time(given)
        );
        findings.error("liveness-stop", &probe, text);
    }
}

/// How long it takes from the first failure of a probe to the last, at which the kubelet acts.
fn span(probe: &Place<'_>) -> Duration {
    let failures = probe.number("failureThreshold").filter(|number| *number > 0).unwrap_or(3);
    let period = probe.number("periodSeconds").filter(|number| *number > 0).unwrap_or(10);
    Duration::from_secs(period.saturating_mul(failures.saturating_sub(1)))
}
