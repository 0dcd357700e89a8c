//! The container of a service in a workload.

use super::super::{Manifest, objects::Workload, place::Place};
use crate::platform::{Fit, GRACE, PlatformError, PodStop};

pub(super) struct Pod<'s, 'a> {
    pub(super) service: &'s Manifest,
    pub(super) workload: &'s Workload<'a>,
    pub(super) container: Place<'a>,
    /// Whether it gets connections through a Service.
    pub(super) has_traffic: bool,
}

impl<'a> Pod<'_, 'a> {
    /// Returns a variable that the manifest sets, with its value unless that comes from elsewhere.
    pub(super) fn variable(&self, name: &str) -> Option<(Place<'a>, Option<&'a str>)> {
        // The last one counts.
        let mut all = self.container.list("env").into_iter().rev();
        let Some(place) = all.find(|variable| variable.text("name") == Some(name)) else {
            // It may be among them.
            return self.container.at("envFrom").map(|sources| (sources, None));
        };
        // A value with other variables in it is put together by the kubelet.
        let value = place.text("value").unwrap_or_default();
        let is_known = place.at("valueFrom").is_none() && !value.contains("$(");
        Some((place.at_or_here("value"), is_known.then_some(value)))
    }

    /// Returns how long the shutdown takes in the pod; nothing, if that is from elsewhere. Beside
    /// it or the error stands what says how long the grace is.
    pub(super) fn fit(&self, stop: &PodStop) -> (Place<'a>, Option<Result<Fit, PlatformError>>) {
        match self.variable(GRACE) {
            Some((place, None)) if stop.is_detected => (place, None),
            Some((place, value)) => (place, Some(stop.in_pod(value))),
            None => (self.container.at_or_here("env"), Some(stop.in_pod(None))),
        }
    }

    /// Returns the number of a port of the container by its name.
    pub(super) fn port(&self, name: &str) -> Option<u64> {
        let ports = self.container.list("ports");
        let port = ports.iter().find(|port| port.text("name") == Some(name))?;
        port.number("containerPort")
    }

    pub(super) fn is_probe_port(&self, port: u64) -> bool {
        port == u64::from(self.service.probe_port)
    }

    /// Whether the service listens there, as far as it is known.
    pub(super) fn is_served(&self, port: u64) -> bool {
        self.is_probe_port(port)
            || self.service.ports.iter().any(|(_, own)| u64::from(*own) == port)
    }
}
