//! What is around the pods of a service: rollouts, evictions, and the Services that lead to them.

use super::{
    super::{
        Findings, Manifest, Place,
        objects::{Objects, Workload},
        place::shown,
    },
    pod::Pod,
    time,
};

/// The defaults of a Deployment.
const QUARTER: &str = "25%";
const DEADLINE: u64 = 600;

/// A workload, and what selects its pods.
pub(super) struct Wiring<'s, 'a> {
    manifest: &'s Manifest,
    workload: &'s Workload<'a>,
    services: Vec<&'s Place<'a>>,
    budgets: Vec<&'s Place<'a>>,
    /// Whether a budget selects nothing: then that is what is wrong.
    has_lost_budget: bool,
    /// How many pods it has at least.
    replicas: Option<u64>,
}

impl<'s, 'a> Wiring<'s, 'a> {
    pub(super) fn new(
        manifest: &'s Manifest,
        objects: &'s Objects<'a>,
        workload: &'s Workload<'a>,
    ) -> Self {
        let selected = |kind: &'static str, path: &'static str| {
            objects.of_kind(kind).filter(move |object| workload.is_selected_by(object, path))
        };
        Self {
            manifest,
            workload,
            services: selected("Service", "spec.selector").collect(),
            budgets: selected("PodDisruptionBudget", "spec.selector").collect(),
            has_lost_budget: objects
                .of_kind("PodDisruptionBudget")
                .any(|budget| objects.is_lost(budget)),
            replicas: objects.replicas(workload),
        }
    }

    /// Whether clients come through a Service, of this manifest or of another.
    pub(super) fn has_traffic(&self, container: &Place<'a>) -> bool {
        let probes = self.manifest.probe_port;
        !self.manifest.ports.is_empty()
            || self.services.iter().any(|service| !is_of_probes(service, container, probes))
    }

    pub(super) fn check(&self, pod: &Pod<'_, 'a>, findings: &mut Findings) {
        self.check_rollout(pod, findings);
        self.check_replicas(pod, findings);
        for service in &self.services {
            self.check_service(pod, service, findings);
        }
    }

    fn check_rollout(&self, pod: &Pod<'_, 'a>, findings: &mut Findings) {
        if self.workload.kind != "Deployment" {
            return;
        }
        let object = &self.workload.object;
        let start = self.manifest.start_timeout;
        let deadline = object.seconds("spec.progressDeadlineSeconds", DEADLINE);
        if deadline < start {
            let text = format!(
                "a rollout counts as failed after {}, and the service may take {} to be ready",
                time(deadline),
                time(start)
            );
            findings.advice("progress", &object.at_or_here("spec.progressDeadlineSeconds"), text);
        }
        let Some(replicas) = self.replicas else { return };
        let place = object.at_or_here("spec.strategy.type");
        if object.text("spec.strategy.type") == Some("Recreate") {
            if pod.has_traffic {
                let text = "a rollout stops all pods before it starts the first new one: nobody \
                            answers in between";
                findings.advice("recreate", &place, text);
            }
            return;
        }
        let share = |name: &str| object.text(&format!("spec.strategy.rollingUpdate.{name}"));
        let surge = part(share("maxSurge").unwrap_or(QUARTER), replicas, Rounded::Up);
        let down = part(share("maxUnavailable").unwrap_or(QUARTER), replicas, Rounded::Down);
        let (Some(surge), Some(down)) = (surge, down) else { return };
        // Kubernetes' rule, for a rollout that could not go on otherwise.
        let down = if surge == 0 { down.max(1) } else { down };
        let place = object.at_or_here("spec.strategy.rollingUpdate.maxUnavailable");
        if pod.has_traffic && replicas > 0 && down >= replicas {
            let text =
                format!("a rollout may stop all {replicas} pods before the first new one is ready");
            findings.error("unavailable", &place, text);
        }
        if down == 0 {
            let host = pod.container.list("ports").into_iter().find_map(|port| port.at("hostPort"));
            let network = pod.workload.pod.at("hostNetwork");
            let network = network.filter(|_| pod.workload.pod.is_true("hostNetwork"));
            if let Some(place) = host.or(network) {
                let text = "a rollout starts a new pod before it stops an old one, for which a \
                            node has to be there whose port is free";
                findings.advice("host-port", &place, text);
            }
        }
    }

    fn check_replicas(&self, pod: &Pod<'_, 'a>, findings: &mut Findings) {
        let Some(replicas) = self.replicas else { return };
        let place = self.workload.object.at_or_here("spec.replicas");
        if replicas == 1 && pod.has_traffic {
            let text = "with one pod, the service is away whenever its node is drained or fails";
            findings.advice("replicas", &place, text);
        }
        if replicas > 1 && self.budgets.is_empty() && !self.has_lost_budget {
            let text = "without a PodDisruptionBudget, nodes that are drained at once evict all \
                        pods at once";
            findings.advice("disruption", &place, text);
        }
        for budget in &self.budgets {
            check_budget(budget, replicas, findings);
        }
    }

    fn check_service(&self, pod: &Pod<'_, 'a>, service: &Place<'a>, findings: &mut Findings) {
        let is_headless = service.text("spec.clusterIP") == Some("None");
        if service.is_true("spec.publishNotReadyAddresses") && !is_headless {
            let text = "pods then get connections before they are ready";
            let place = service.at_or_here("spec.publishNotReadyAddresses");
            findings.error("not-ready", &place, text);
        }
        let is_public = matches!(service.text("spec.type"), Some("LoadBalancer" | "NodePort"));
        for port in service.list("spec.ports") {
            let field = if port.at("targetPort").is_some() { "targetPort" } else { "port" };
            let place = port.at_or_here(field);
            let text = port.text(field).unwrap_or_default();
            let of_others = self.workload.containers().into_iter().flat_map(|container| {
                let is_own = container.path == pod.container.path;
                container.list("ports").into_iter().filter(move |_| !is_own)
            });
            let is_of_others = of_others
                .into_iter()
                .any(|port| [port.text("name"), port.text("containerPort")].contains(&Some(text)));
            match text.parse().ok().or_else(|| pod.port(text)) {
                None if is_of_others => {}
                None => {
                    let text = format!("the container has no port of the name {}", shown(text));
                    findings.error("service-port", &place, text);
                }
                Some(port) if pod.is_probe_port(port) && is_public => {
                    let text = "this makes metrics, probes and the task table public";
                    findings.advice("probes-public", &place, text);
                }
                Some(port) if pod.is_served(port) || is_of_others => {}
                Some(port) => {
                    let text = format!("nothing of the service listens at port {port}");
                    findings.error("service-port", &place, text);
                }
            }
        }
    }
}

/// A Service or a budget that selects no pod does nothing, and nobody says so.
pub(super) fn check_selectors(objects: &Objects<'_>, findings: &mut Findings) {
    if objects.workloads.is_empty() {
        return;
    }
    let services = objects.of_kind("Service").filter(|service| {
        // Without one, others write its endpoints.
        service.at("spec.selector").is_some_and(|selector| !selector.node.entries().is_empty())
    });
    for object in services.chain(objects.of_kind("PodDisruptionBudget")) {
        if objects.is_lost(object) {
            let text = "it selects no pod of this manifest: labels and namespace have to agree";
            findings.error("selector", &object.at_or_here("spec.selector"), text);
        }
    }
}

fn check_budget(budget: &Place<'_>, replicas: u64, findings: &mut Findings) {
    let of = |name: &str| {
        let place = budget.at(&format!("spec.{name}"))?;
        let number = part(place.node.text()?, replicas, Rounded::Up)?;
        Some((place, number))
    };
    let least = of("minAvailable").map(|(place, least)| (place, replicas.saturating_sub(least)));
    let Some((place, evicted)) = of("maxUnavailable").or(least) else { return };
    if replicas > 0 && evicted == 0 {
        let text = format!(
            "none of the {replicas} pods may ever be evicted: a drain of a node does not end"
        );
        findings.error("disruption-never", &place, text);
    }
    if replicas > 1 && evicted >= replicas {
        let text = format!("all {replicas} pods may be evicted at once");
        findings.advice("disruption-all", &place, text);
    }
}

/// Whether all that a Service leads to are the probes and metrics.
fn is_of_probes(service: &Place<'_>, container: &Place<'_>, probes: u16) -> bool {
    let (ports, own) = (service.list("spec.ports"), container.list("ports"));
    let is_probes = |port: &Place<'_>| {
        let target = port.text("targetPort").or(port.text("port")).unwrap_or_default();
        let named = own.iter().find(|own| own.text("name") == Some(target));
        let number = named.and_then(|own| own.text("containerPort")).unwrap_or(target);
        number == probes.to_string()
    };
    ports.iter().all(is_probes)
}

enum Rounded {
    Up,
    Down,
}

/// Returns a number of pods, or that share of them.
fn part(text: &str, of: u64, rounded: Rounded) -> Option<u64> {
    let Some(percent) = text.strip_suffix('%') else { return text.parse().ok() };
    let hundredths = percent.parse::<u64>().ok()?.saturating_mul(of);
    Some(match rounded {
        Rounded::Up => hundredths.div_ceil(100),
        Rounded::Down => hundredths / 100,
    })
}
