//! The stop of a pod: whether its parts fit into the grace, in order, and where it says why.

use std::time::Duration;

use super::{
    super::{Findings, Place, place::shown},
    pod::Pod,
    time,
};
use crate::platform::{Fit, GRACE, PodStop, TERMINATION_LOG};

/// What Kubernetes grants if nothing is said.
const DEFAULT_GRACE: u64 = 30;
/// How long after a deletion new connections may come: a second was measured, on one node.
const SHORTEST_DRAIN: Duration = Duration::from_secs(2);
const DEFAULT_MESSAGE: &str = "/dev/termination-log";

pub(super) fn check(pod: &Pod<'_, '_>, stop: &PodStop, findings: &mut Findings) {
    check_message(pod, stop, findings);
    let known_hook = check_hook(pod, findings);
    let hook = known_hook.unwrap_or_default();
    let (place, fit) = pod.fit(stop);
    let fit = match fit {
        Some(Ok(fit)) => fit,
        Some(Err(error)) => {
            let text = format!("the service does not start: {error}");
            return findings.error("grace-variable", &place, text);
        }
        None => return,
    };
    check_grace(pod, stop, fit, hook, &place, findings);
    for probe in ["livenessProbe", "startupProbe"] {
        let path = format!("{probe}.terminationGracePeriodSeconds");
        let Some(own) = pod.container.at(&path) else { continue };
        let grace = pod.container.seconds(&path, DEFAULT_GRACE);
        if let Some(parts) = parts_beyond(grace, hook, fit.total, stop) {
            let text = format!("when this probe fails, the container is killed {parts}");
            findings.error("probe-grace", &own, text);
        }
    }
    if let Some(hook) = known_hook {
        check_drain(pod, fit, hook, findings);
    }
}

fn check_grace(
    pod: &Pod<'_, '_>,
    stop: &PodStop,
    fit: Fit,
    hook: Duration,
    variable: &Place<'_>,
    findings: &mut Findings,
) {
    const FIELD: &str = "terminationGracePeriodSeconds";
    let place = pod.workload.pod.at_or_here(FIELD);
    let grace = pod.workload.pod.seconds(FIELD, DEFAULT_GRACE);
    if let Some(parts) = parts_beyond(grace, hook, fit.total, stop) {
        if stop.takes_all() {
            let text = format!(
                "the service takes {} for its stop, and is killed {parts}",
                time(fit.grace)
            );
            findings.error("grace-variable", variable, text);
        } else {
            findings.error("grace", &place, format!("the pod is killed {parts}"));
        }
    } else if stop.takes_all() && hook.saturating_add(fit.grace) < grace {
        let text = format!(
            "of the {} that the pod has, the service uses {}: {GRACE} says how many",
            time(grace.saturating_sub(hook)),
            time(fit.grace)
        );
        findings.advice("grace-variable", variable, text);
    }
}

/// Says how a stop is longer than the time that it has, if it is.
fn parts_beyond(
    grace: Duration,
    hook: Duration,
    total: Duration,
    stop: &PodStop,
) -> Option<String> {
    let reserve = stop.reserve();
    let needed = hook.saturating_add(total).saturating_add(reserve);
    if grace >= needed {
        return None;
    }
    let hook = if hook.is_zero() { String::new() } else { format!("{} of preStop, ", time(hook)) };
    Some(format!(
        "after {}, and its stop takes up to {}: {hook}{} of the shutdown, {} for the end",
        time(grace),
        time(needed),
        time(total),
        time(reserve)
    ))
}

/// Returns how long the hook before the signal takes, if that is known.
fn check_hook(pod: &Pod<'_, '_>, findings: &mut Findings) -> Option<Duration> {
    let Some(hook) = pod.container.at("lifecycle.preStop") else { return Some(Duration::ZERO) };
    if let Some(seconds) = hook.number("sleep.seconds") {
        return Some(Duration::from_secs(seconds));
    }
    let words = hook.words("exec.command").join(" ");
    let words: Vec<_> = words.split_whitespace().collect();
    let length = match words.as_slice() {
        [program, length] | [_, "-c", program, length] if is_sleep(program) => {
            length.trim_end_matches('s').parse().ok()
        }
        _ => None,
    };
    let length = length.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if length.is_none() {
        let text = "how long this takes is not known, and counts against the grace: a `sleep` of \
                    seconds, or the drain delay of the service, has a length";
        findings.advice("pre-stop", &hook, text);
    }
    length
}

fn is_sleep(program: &str) -> bool {
    program.rsplit('/').next() == Some("sleep")
}

fn check_drain(pod: &Pod<'_, '_>, fit: Fit, hook: Duration, findings: &mut Findings) {
    let place = pod.container.at_or_here("lifecycle.preStop");
    if !hook.is_zero() && !fit.drain.is_zero() {
        let text = format!(
            "the hook of {} and the drain delay of {} do the same, one after the other: one of \
             them is enough",
            time(hook),
            time(fit.drain)
        );
        findings.advice("drain-twice", &place, text);
    }
    let drain = hook.max(fit.drain);
    if !pod.has_traffic || drain >= SHORTEST_DRAIN {
        return;
    }
    let text = format!(
        "new connections come for more than a second after the deletion of a pod, and the service \
         takes them for {}: set a drain delay, or a preStop hook that sleeps, of 5 s",
        time(drain)
    );
    match drain.is_zero() {
        true => findings.error("drain", &place, text),
        false => findings.advice("drain", &place, text),
    }
}

fn check_message(pod: &Pod<'_, '_>, stop: &PodStop, findings: &mut Findings) {
    let container = &pod.container;
    let read = container.text("terminationMessagePath").unwrap_or(DEFAULT_MESSAGE);
    let own = pod.service.message_file.as_deref();
    let variable = pod.variable(TERMINATION_LOG).filter(|_| stop.is_detected);
    let by_default = stop.has_message.then_some(DEFAULT_MESSAGE);
    let written = match variable {
        _ if own.is_some() => own,
        // From elsewhere.
        Some((_, None)) => return,
        Some((_, path)) => path.filter(|path| !path.is_empty()).or(by_default),
        None => by_default,
    };
    match written {
        Some(written) if written != read => {
            let text = format!(
                "the service writes why it ended to {}, and Kubernetes reads {}",
                shown(written),
                shown(read)
            );
            findings.error("message-path", &container.at_or_here("terminationMessagePath"), text);
        }
        Some(_) => {}
        None if container.text("terminationMessagePolicy") == Some("FallbackToLogsOnError") => {}
        None => {
            let text = "the service writes no message of its end: with FallbackToLogsOnError, \
                        Kubernetes shows the end of its log";
            let place = container.at_or_here("terminationMessagePolicy");
            findings.advice("message-policy", &place, text);
        }
    }
}
