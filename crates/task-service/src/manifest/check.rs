//! Judges a manifest by the settings of the service that it is for.
//!
//! What the API server refuses is not looked for: it says so itself. A rule is about what it takes
//! and what is wrong for this service.

use std::time::Duration;

use self::{pod::Pod, wiring::Wiring};
use super::{
    Manifest, ManifestError, ManifestFinding, error::Problem, finding::Findings, objects::Objects,
    place::shown, yaml,
};
use crate::platform::PodStop;

mod command;
mod pod;
mod probes;
mod stop;
mod wiring;

pub(super) fn check(
    service: &Manifest,
    stop: &PodStop,
    text: &str,
) -> Result<Vec<ManifestFinding>, ManifestError> {
    let documents = yaml::read(text)?;
    let objects = Objects::of(&documents);
    let Some(first) = objects.first() else { return Err(Problem::Empty.into()) };
    let mut findings = Findings::default();
    let containers = objects.containers_of(&service.name, &service.command[0]);
    if containers.is_empty() {
        let name = shown(&service.name);
        let text =
            format!("no container has the name {name}, runs its program, or is the only one");
        findings.error("container", first, text);
    }
    for (workload, container) in containers {
        let wiring = Wiring::new(service, &objects, workload);
        let has_traffic = workload.is_service() && wiring.has_traffic(&container);
        let pod = Pod { service, workload, container, has_traffic };
        stop::check(&pod, stop, &mut findings);
        command::check(&pod, &mut findings);
        if workload.is_service() {
            probes::check(&pod, stop, &mut findings);
            wiring.check(&pod, &mut findings);
        }
    }
    wiring::check_selectors(&objects, &mut findings);
    Ok(findings.ordered())
}

/// A time in a sentence.
fn time(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}
