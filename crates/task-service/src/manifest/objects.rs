//! The objects of a manifest: which of them runs the service, and what selects its pods.

use super::{place::Place, yaml::Node};

/// Those that have a template of pods, and where it is.
const WORKLOADS: &[(&str, &str)] = &[
    ("Deployment", "spec.template"),
    ("StatefulSet", "spec.template"),
    ("DaemonSet", "spec.template"),
    ("ReplicaSet", "spec.template"),
    ("Job", "spec.template"),
    ("CronJob", "spec.jobTemplate.spec.template"),
];

/// An object with pods.
#[derive(Clone, Debug)]
pub(super) struct Workload<'a> {
    pub(super) object: Place<'a>,
    pub(super) kind: &'a str,
    /// What has the labels of the pods.
    template: Place<'a>,
    /// The `spec` of its pods.
    pub(super) pod: Place<'a>,
}

impl<'a> Workload<'a> {
    fn of(object: &Place<'a>) -> Option<Self> {
        let kind = object.text("kind")?;
        let template = match WORKLOADS.iter().find(|(name, _)| *name == kind) {
            Some((_, template)) => object.at(template)?,
            None if kind == "Pod" => object.clone(),
            None => return None,
        };
        let pod = template.at("spec")?;
        Some(Self { object: object.clone(), kind, template, pod })
    }

    /// Whether it runs until it is stopped.
    pub(super) fn is_service(&self) -> bool {
        !matches!(self.kind, "Job" | "CronJob")
    }

    /// Returns the containers that run at the same time: sidecars among the init containers, too.
    pub(super) fn containers(&self) -> Vec<Place<'a>> {
        let sidecars = self.pod.list("initContainers").into_iter();
        let sidecars = sidecars.filter(|init| init.text("restartPolicy") == Some("Always"));
        self.pod.list("containers").into_iter().chain(sidecars).collect()
    }

    /// Whether an object selects its pods, by the map of labels, or the selector, at this path.
    pub(super) fn is_selected_by(&self, object: &Place<'a>, path: &str) -> bool {
        if namespace(object) != namespace(&self.object) {
            return false;
        }
        let Some(selector) = object.at(path) else { return false };
        let labels = self.template.at("metadata.labels");
        let label = |key: &str| labels.as_ref().and_then(|labels| labels.node.get(key)?.text());
        let equals =
            |(key, value): &(String, Node)| label(key).is_some_and(|own| Some(own) == value.text());
        if object.text("kind") == Some("Service") {
            let labels = selector.node.entries();
            return !labels.is_empty() && labels.iter().all(equals);
        }
        let equal = selector.at("matchLabels");
        equal.is_none_or(|equal| equal.node.entries().iter().all(equals))
            && selector.list("matchExpressions").iter().all(|expression| {
                let own = expression.text("key").and_then(label);
                let is_in = own.is_some_and(|own| expression.words("values").contains(&own));
                match expression.text("operator") {
                    Some("In") => is_in,
                    Some("NotIn") => !is_in,
                    Some("Exists") => own.is_some(),
                    Some("DoesNotExist") => own.is_none(),
                    _ => false,
                }
            })
    }
}

/// All objects of a manifest.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    all: Vec<Place<'a>>,
    pub(super) workloads: Vec<Workload<'a>>,
}

impl<'a> Objects<'a> {
    /// Of documents, of which each may be a list of objects.
    pub(super) fn of(documents: &'a [Node]) -> Self {
        let mut all = Vec::new();
        for (index, node) in documents.iter().enumerate() {
            let object = Place { document: index + 1, node, path: String::new() };
            match object.text("kind") {
                Some("List") => all.extend(object.list("items")),
                _ => all.push(object),
            }
        }
        let workloads = all.iter().filter_map(Workload::of).collect();
        Self { all, workloads }
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Place<'a>> {
        self.all.iter().filter(move |object| object.text("kind") == Some(kind))
    }

    /// The place for what no object has.
    pub(super) fn first(&self) -> Option<&Place<'a>> {
        self.all.first()
    }

    /// Whether a selector selects nothing here.
    pub(super) fn is_lost(&self, object: &Place<'a>) -> bool {
        !self.workloads.iter().any(|workload| workload.is_selected_by(object, "spec.selector"))
    }

    /// Returns the containers of a service: those that have its name, or else those that run its
    /// program, or else the only one that there is.
    pub(super) fn containers_of(
        &self,
        name: &str,
        program: &str,
    ) -> Vec<(&Workload<'a>, Place<'a>)> {
        let (mut named, mut running, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for workload in &self.workloads {
            for container in workload.containers() {
                if container.text("name") == Some(name) {
                    named.push((workload, container.clone()));
                }
                if container.words("command").first() == Some(&program) {
                    running.push((workload, container.clone()));
                }
                all.push((workload, container));
            }
        }
        let found = if named.is_empty() { running } else { named };
        match (found.is_empty(), all.len()) {
            (true, 1) => all,
            _ => found,
        }
    }

    /// Returns how many pods a workload has at least, as far as the manifest says.
    pub(super) fn replicas(&self, workload: &Workload<'a>) -> Option<u64> {
        let name = workload.object.text("metadata.name");
        let scaler = self.of_kind("HorizontalPodAutoscaler").find(|scaler| {
            scaler.text("spec.scaleTargetRef.kind") == Some(workload.kind)
                && scaler.text("spec.scaleTargetRef.name") == name
                && namespace(scaler) == namespace(&workload.object)
        });
        match (workload.kind, scaler) {
            ("Deployment" | "StatefulSet" | "ReplicaSet", Some(scaler)) => {
                Some(scaler.number("spec.minReplicas").unwrap_or(1))
            }
            ("Deployment" | "StatefulSet" | "ReplicaSet", None) => {
                Some(workload.object.number("spec.replicas").unwrap_or(1))
            }
            _ => None,
        }
    }
}

/// Without one, an object is in that of the client: as all others of the manifest that have none.
fn namespace<'a>(object: &Place<'a>) -> Option<&'a str> {
    object.text("metadata.namespace")
}
