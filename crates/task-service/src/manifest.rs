//! The manifest of a service for Kubernetes, with numbers that fit the service's own.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use task_core::scope::guarded_name;

pub use self::{error::ManifestError, finding::ManifestFinding};
use self::{error::Problem, finding::Findings, place::Place};
use crate::platform::{GRACE, PodStop};

mod check;

mod objects;

mod finding;
mod place;
mod yaml;

mod error;

const START: Duration = Duration::from_secs(90);
const PROBES: u16 = 9090;
const REPLICAS: u32 = 2;
/// Kubernetes has these numbers as `int32`.
const MOST: u64 = i32::MAX.unsigned_abs() as u64;

/// The manifest of a service for Kubernetes, with numbers that fit the service's own: print it from
/// a subcommand, with [`Service::manifest`](crate::Service::manifest) of the same settings that the
/// service runs by.
///
/// It has a Deployment, with a [port](Self::port) a Service, and with two or more replicas a
/// PodDisruptionBudget.
///
/// | line | why |
/// |---|---|
/// | `terminationGracePeriodSeconds` | the length of the `preStop` hook, the shutdown timeout, and 2 s for the hard exit, or more with a longer [`drop_timeout`](crate::Service::drop_timeout); or the grace of the [`Platform`](crate::Platform) that the program names. The kubelet kills only what missed its own deadline |
/// | `TASK_GRACE_SECONDS` | the same number, where the service uses [`Platform::detect`](crate::Platform::detect), which reads it |
/// | `preStop` | sleeps for [`Platform::pre_stop`](crate::Platform::pre_stop), if that is set. Takes Kubernetes 1.30 |
/// | `command` | a list: no shell stands between the kubelet's signal and the service |
/// | `startupProbe` | `/startupz`, once a second, for the [start timeout](Self::start_timeout) |
/// | `readinessProbe` | `/readyz`, every 2 s; a pod that fails 3 times has no traffic |
/// | `livenessProbe` | `/livez`, every 10 s; after the third failure, of 1 s each, the kubelet stops the container and runs it again |
/// | `terminationMessagePath` | the file of [`Service::termination_log`](crate::Service::termination_log), or `/dev/termination-log`; without a message the kubelet shows the end of the log of a container that failed |
/// | `maxUnavailable: 0`, `maxSurge: 1` | a rollout starts a new pod, and waits until it is ready, before it stops an old one |
/// | `enableServiceLinks: false` | the Services of the namespace set no variables, such as `ORDERS_PORT`, that a service may take for its settings |
/// | the PodDisruptionBudget | an eviction, as of `kubectl drain`, takes one pod at a time, and one that is not ready at any time |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_service::{Platform, Service};
///
/// # fn main() -> Result<(), task_service::ManifestError> {
/// let service = Service::new()
///     .platform(Platform::detect())
///     .manager(|manager| manager.shutdown_timeout(Duration::from_secs(40)));
/// let manifest = service
///     .manifest("orders", "registry.example/orders:1", "/usr/local/bin/orders")
///     .argument("--address=0.0.0.0:8080")
///     .port("http", 8080);
/// let text = manifest.print()?;
/// assert!(text.contains("terminationGracePeriodSeconds: 42\n"));
/// # Ok(()) }
/// ```
///
/// # Limits
///
/// Replicas, ports, probes and the stop are what it is about. What an application adds, such as
/// volumes, limits of memory and accounts, is for the tool that puts manifests together. The time
/// of [telemetry](task_manager::Manager::telemetry), which is set when the service runs, is not in
/// the grace: add it to the [grace](crate::Platform::grace) of the platform.
#[derive(Clone, Debug)]
#[must_use = "a manifest has to be printed"]
pub struct Manifest {
    name: String,
    image: String,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    secrets: Vec<String>,
    replicas: u32,
    start_timeout: Duration,
    probe_port: u16,
    ports: Vec<(String, u16)>,
    /// Where the service writes why it ended, if that is set.
    message_file: Option<String>,
    stop: Result<PodStop, ManifestError>,
}

impl Manifest {
    pub(crate) fn new(
        name: String,
        image: String,
        program: String,
        message_file: Option<String>,
        stop: Result<PodStop, ManifestError>,
    ) -> Self {
        Self {
            name,
            image,
            command: vec![program],
            environment: Vec::new(),
            secrets: Vec::new(),
            replicas: REPLICAS,
            start_timeout: START,
            probe_port: PROBES,
            ports: Vec::new(),
            message_file,
            stop,
        }
    }

    /// Adds an argument of the program. Default: none.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.command.push(argument.into());
        self
    }

    /// Adds a variable of the environment. Default: none, but for `TASK_GRACE_SECONDS`.
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds all entries of a Secret to the environment, each as a variable. Default: none.
    pub fn secret(mut self, name: impl Into<String>) -> Self {
        self.secrets.push(name.into());
        self
    }

    /// Sets the number of pods. Default: 2.
    pub fn replicas(self, replicas: u32) -> Self {
        Self { replicas, ..self }
    }

    /// Sets the time within which the service has to be ready: the kubelet then restarts it. It is
    /// rounded up to whole seconds. Default: 90 s.
    pub fn start_timeout(self, start_timeout: Duration) -> Self {
        Self { start_timeout, ..self }
    }

    /// Sets the port of the probes. Default: 9090.
    pub fn probe_port(self, port: u16) -> Self {
        Self { probe_port: port, ..self }
    }

    /// Adds a port for the Service of this name, which has the same number there. The name has at
    /// most 15 characters, and is not `probes`. Default: none.
    pub fn port(mut self, name: impl Into<String>, number: u16) -> Self {
        self.ports.push((name.into(), number));
        self
    }

    /// Returns the manifest as one text of YAML.
    ///
    /// # Errors
    ///
    /// If the settings of the service do not fit its platform, or its shutdown has no limit; if a
    /// name is not one for Kubernetes, or there twice; if the image is no word, a path is not
    /// absolute, or a text has a control character; if there are no replicas, a port or a time is
    /// zero, or a time is longer than the 68 years that Kubernetes takes.
    pub fn print(&self) -> Result<String, ManifestError> {
        let stop = self.stop.as_ref().map_err(Clone::clone)?;
        self.check_settings()?;
        let mut text = self.deployment(stop)?;
        if !self.ports.is_empty() {
            text += &self.service();
        }
        if self.replicas > 1 {
            text += &self.disruption_budget();
        }
        Ok(text)
    }

    /// Checks a manifest of another hand against the settings of this service, and returns what is
    /// wrong with it, in the order of the text; nothing, if it fits.
    ///
    /// The text may have several documents, of which some may be lists. The container of the
    /// service is the one with the name of this manifest, in all workloads that have it; or the one
    /// whose `command` begins with its program; or the only one. What it is measured by are the
    /// times of the service, the [start timeout](Self::start_timeout), the [ports](Self::port),
    /// each of which has to be set here, and the [port of the probes](Self::probe_port), with the
    /// paths that `HttpTask` of `task-http` has by default. What Kubernetes refuses itself is not
    /// looked for. An *error* loses requests or work, or keeps the service from starting, stopping
    /// or being restarted as it should; an *advice* is for what may be meant.
    ///
    /// | rule | error | advice |
    /// |---|---|---|
    /// | `grace` | `terminationGracePeriodSeconds` is less than the `preStop` hook, the shutdown timeout and 2 s (or more with a longer [`drop_timeout`](crate::Service::drop_timeout)) | |
    /// | `grace-variable` | `TASK_GRACE_SECONDS` promises the service more than it has, or it does not start with it | it uses less than it has |
    /// | `probe-grace` | the same, of a probe with a grace of its own | |
    /// | `pre-stop` | | the length of the hook is not known: it is neither `sleep` nor runs that |
    /// | `drain` | without a drain delay and a hook, connections that still come fail | both are below 2 s |
    /// | `drain-twice` | | a drain delay and a hook |
    /// | `message-path` | the service writes why it ended elsewhere than Kubernetes reads | |
    /// | `message-policy` | | it writes nothing, and Kubernetes does not show its log |
    /// | `shell` | a shell runs the program as its child, and gets the signal instead | |
    /// | `stop-signal` | the signal is none of `SIGTERM`, `SIGINT` and `SIGQUIT` | |
    /// | `loopback` | a port is served at a loopback address, where no probe and no client comes | |
    /// | `probe-path` | a probe asks what does not answer its question | the startup probe passes too early |
    /// | `probe-port` | a probe asks a port that is not there | it asks the API |
    /// | `probe-kind` | | a probe by `tcpSocket` passes while the service is blocked |
    /// | `probe-host` | a probe asks another host | |
    /// | `readiness` | no readiness probe | no readiness probe, where nothing connects |
    /// | `liveness` | | no liveness probe |
    /// | `start` | the startup probe, or without one the liveness probe, ends a start that is in time | |
    /// | `liveness-stop` | the liveness probe cuts short a stop that the service began itself: once probes have no answer, cleanups take up to 5 s, or [what is set](task_manager::ManagerBuilder::cleanup_timeout) | |
    /// | `recreate` | | a rollout stops all pods first |
    /// | `unavailable` | a rollout may stop all pods before a new one is ready | |
    /// | `host-port` | | a rollout needs a node whose port is free |
    /// | `progress` | | a rollout counts as failed while the service may still start |
    /// | `replicas` | | one pod, and clients |
    /// | `disruption` | | several pods, and no PodDisruptionBudget |
    /// | `disruption-never` | a budget forbids every eviction | |
    /// | `disruption-all` | | a budget allows to evict all |
    /// | `selector` | a Service or a budget selects no pod of the manifest, by labels or namespace | |
    /// | `service-port` | a Service leads to a port that is not there | |
    /// | `not-ready` | a Service leads to pods that are not ready | |
    /// | `probes-public` | | a Service that is reached from outside leads to the probes |
    /// | `container` | no container is that of the service | |
    ///
    /// # Errors
    ///
    /// If the settings of the service do not fit its platform; if the text is not YAML, has a key
    /// twice in one map, of which readers take either, has no object, or has more than 100,000
    /// values with its aliases, or more than 100 levels.
    ///
    /// # Limits
    ///
    /// Templates have to be rendered before. The entry point of the image, the values of variables
    /// from Secrets and ConfigMaps (also by `envFrom`) or with `$(...)` in them, and the time that
    /// other containers of the pod take are not seen: no rule is about what they say.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_service::Service;
    ///
    /// # fn main() -> Result<(), task_service::ManifestError> {
    /// let manifest = Service::new().manifest("orders", "orders:1", "/orders");
    /// let text = manifest.print()?;
    /// assert_eq!(manifest.check(&text)?, []);
    ///
    /// let text = text.replace("terminationGracePeriodSeconds: 27", "terminationGracePeriodSeconds: 20");
    /// let findings = manifest.check(&text)?;
    /// assert_eq!(findings[0].rule(), "grace");
    /// assert!(findings[0].is_error());
    /// # Ok(()) }
    /// ```
    pub fn check(&self, text: &str) -> Result<Vec<ManifestFinding>, ManifestError> {
        let stop = self.stop.as_ref().map_err(Clone::clone)?;
        check::check(self, stop, text)
    }

    fn deployment(&self, stop: &PodStop) -> Result<String, ManifestError> {
        let name = quoted(&self.name);
        let grace = seconds("grace", stop.grace())?;
        let mut text = String::new();
        let mut line = |indent: usize, line: &dyn Display| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:indent$}{line}", "");
        };
        line(0, &"apiVersion: apps/v1\nkind: Deployment\nmetadata:");
        line(2, &format_args!("name: {name}"));
        line(0, &"spec:");
        line(2, &format_args!("replicas: {}", self.replicas));
        line(2, &"selector:");
        line(4, &"matchLabels:");
        line(6, &format_args!("app.kubernetes.io/name: {name}"));
        line(2, &"strategy:");
        line(4, &"type: RollingUpdate");
        line(4, &"rollingUpdate:");
        line(6, &"maxUnavailable: 0");
        line(6, &"maxSurge: 1");
        line(2, &"template:");
        line(4, &"metadata:");
        line(6, &"labels:");
        line(8, &format_args!("app.kubernetes.io/name: {name}"));
        line(4, &"spec:");
        line(6, &format_args!("terminationGracePeriodSeconds: {grace}"));
        line(6, &"enableServiceLinks: false");
        line(6, &"containers:");
        line(8, &format_args!("- name: {name}"));
        line(10, &format_args!("image: {}", quoted(&self.image)));
        line(10, &"command:");
        for word in &self.command {
            line(12, &format_args!("- {}", quoted(&literal(word))));
        }
        let own = stop.is_detected.then(|| (GRACE.to_owned(), grace.to_string()));
        if own.is_some() || !self.environment.is_empty() {
            line(10, &"env:");
        }
        for (name, value) in own.iter().chain(&self.environment) {
            line(12, &format_args!("- name: {}", quoted(name)));
            line(14, &format_args!("value: {}", quoted(&literal(value))));
        }
        if !self.secrets.is_empty() {
            line(10, &"envFrom:");
        }
        for secret in &self.secrets {
            line(12, &"- secretRef:");
            line(16, &format_args!("name: {}", quoted(secret)));
        }
        line(10, &"ports:");
        let probes = ("probes".to_owned(), self.probe_port);
        for (name, number) in self.ports.iter().chain([&probes]) {
            line(12, &format_args!("- name: {}", quoted(name)));
            line(14, &format_args!("containerPort: {number}"));
        }
        let start = seconds("start timeout", self.start_timeout)?;
        for (probe, path, period, failures) in [
            // The first failure may come at once.
            ("startup", "/startupz", 1, start.saturating_add(1)),
            ("readiness", "/readyz", 2, 3),
            ("liveness", "/livez", 10, 3),
        ] {
            line(10, &format_args!("{probe}Probe:"));
            line(12, &"httpGet:");
            line(14, &format_args!("path: {path}"));
            line(14, &"port: probes");
            line(12, &format_args!("periodSeconds: {period}"));
            line(12, &"timeoutSeconds: 1");
            line(12, &format_args!("failureThreshold: {failures}"));
        }
        if !stop.hook.is_zero() {
            line(10, &"lifecycle:");
            line(12, &"preStop:");
            line(14, &"sleep:");
            line(16, &format_args!("seconds: {}", seconds("length of the hook", stop.hook)?));
        }
        line(10, &format_args!("terminationMessagePath: {}", quoted(self.message_path())));
        line(10, &"terminationMessagePolicy: FallbackToLogsOnError");
        Ok(text)
    }

    fn service(&self) -> String {
        let name = quoted(&self.name);
        let mut text = format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    \
             app.kubernetes.io/name: {name}\n  ports:\n"
        );
        for (name, number) in &self.ports {
            let name = quoted(name);
            let _ = writeln!(
                text,
                "    - name: {name}\n      port: {number}\n      targetPort: {name}"
            );
        }
        text
    }

    fn disruption_budget(&self) -> String {
        let name = quoted(&self.name);
        format!(
            "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: {name}\n\
             spec:\n  maxUnavailable: 1\n  unhealthyPodEvictionPolicy: AlwaysAllow\n  selector:\n    \
             matchLabels:\n      app.kubernetes.io/name: {name}\n"
        )
    }

    fn check_settings(&self) -> Result<(), ManifestError> {
        if !is_label(&self.name, 63) || !self.name.starts_with(|first: char| first.is_alphabetic())
        {
            return Err(setting("name", &self.name, NO_NAME));
        }
        if self.image.is_empty() || self.image.contains(char::is_whitespace) {
            return Err(setting("image", &self.image, "is not one word"));
        }
        for (what, path) in
            [("path of the program", &*self.command[0]), ("termination log", self.message_path())]
        {
            if !path.starts_with('/') {
                return Err(setting(what, path, "is not absolute"));
            }
        }
        for secret in &self.secrets {
            if secret.len() > 253 || !secret.split('.').all(|part| is_label(part, 253)) {
                return Err(setting("name of a Secret", secret, NO_NAME));
            }
        }
        self.check_environment()?;
        self.check_ports()?;
        let values = self.environment.iter().map(|(_, value)| value);
        let others = [&*self.image, self.message_path()];
        for text in self.command.iter().chain(values).map(String::as_str).chain(others) {
            if text.chars().any(char::is_control) {
                return Err(setting("text", text, "has a control character"));
            }
        }
        match self.replicas {
            0 => Err(setting("number of replicas", "0", "is zero")),
            many if u64::from(many) > MOST => {
                Err(setting("number of replicas", &many.to_string(), "is too large"))
            }
            _ => Ok(()),
        }
    }

    /// Where Kubernetes finds why the service ended.
    fn message_path(&self) -> &str {
        self.message_file.as_deref().unwrap_or("/dev/termination-log")
    }

    fn check_environment(&self) -> Result<(), ManifestError> {
        for (index, (name, _)) in self.environment.iter().enumerate() {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty()
                || name.starts_with(|first: char| first.is_ascii_digit())
                || !name.bytes().all(is_plain)
            {
                let fault = "is not made of letters, digits and `_`";
                return Err(setting("name of a variable", name, fault));
            }
            let is_before = self.environment[..index].iter().any(|(before, _)| before == name);
            if name == GRACE || is_before {
                return Err(setting("name of a variable", name, TWICE));
            }
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), ManifestError> {
        let mut seen = vec![("probes", self.probe_port)];
        for (name, number) in &self.ports {
            let has_letter = name.contains(|character: char| character.is_ascii_lowercase());
            if !is_label(name, 15) || !has_letter || name.contains("--") {
                return Err(setting("name of a port", name, NO_NAME));
            }
            if seen.iter().any(|(before, _)| before == name) {
                return Err(setting("name of a port", name, TWICE));
            }
            if seen.iter().any(|(_, before)| before == number) {
                return Err(setting("port", &number.to_string(), TWICE));
            }
            seen.push((name, *number));
        }
        match seen.iter().any(|(_, number)| *number == 0) {
            true => Err(setting("port", "0", "is zero")),
            false => Ok(()),
        }
    }
}

const TWICE: &str = "is there twice";
const NO_NAME: &str =
    "is not made of lowercase letters, digits and `-`, or too long, or begins or ends wrongly";

fn setting(what: &'static str, value: &str, fault: &'static str) -> ManifestError {
    Problem::Setting { what, value: guarded_name(value), fault }.into()
}

fn is_label(text: &str, most: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= most
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whole seconds, rounded up.
fn seconds(what: &'static str, time: Duration) -> Result<u64, ManifestError> {
    match time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)) {
        0 => Err(setting(what, &format!("{time:?}"), "is zero")),
        many if many > MOST => Err(setting(what, &format!("{time:?}"), "is too long")),
        seconds => Ok(seconds),
    }
}

/// `$(NAME)` is a variable in a command and in the value of a variable, and `$$` is a `$`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// In double quotes, and in ASCII: without them some words are numbers, and some characters end a
/// line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}
