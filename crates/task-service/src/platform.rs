//! Where a service runs: by which signal it is stopped there, and when it is killed.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use task_signal::Signal;

pub use self::error::PlatformError;
pub(crate) use self::{chosen::Choice, fit::Fit};
#[cfg(feature = "kubernetes")]
pub(crate) use self::{
    detect::{GRACE, TERMINATION_LOG},
    pod::PodStop,
};

mod chosen;
mod detect;
mod error;
mod fit;
#[cfg(feature = "kubernetes")]
mod pod;

/// Where a service runs, and so how long its shutdown may take: set by
/// [`Service::platform`](crate::Service::platform).
///
/// A platform stops a process by a signal, and kills it some time later, its *grace*. Most grant
/// less than the 30 s for which the defaults are made. A preset sets what is not set otherwise, so
/// that the shutdown is over before the kill, the hard exit included:
///
/// | | first signal | grace | shutdown timeout | drain delay | recognised by |
/// |---|---|---|---|---|---|
/// | [`kubernetes`](Self::kubernetes) | `SIGTERM` | 30 s | 28 s | 5 s | `KUBERNETES_SERVICE_HOST` |
/// | [`cloud_run`](Self::cloud_run) | `SIGTERM` | 10 s | 8 s | none | `K_SERVICE` |
/// | [`nomad`](Self::nomad) | `SIGINT`; its Docker driver: `SIGTERM` | 5 s | 3 s | none | `NOMAD_ALLOC_ID` |
/// | [`fly`](Self::fly) | `SIGINT` | 5 s | 3 s | none | `FLY_MACHINE_ID`, `FLY_ALLOC_ID` |
/// | [`ecs`](Self::ecs) | `SIGTERM` | 30 s | 28 s | none | `ECS_CONTAINER_METADATA_URI_V4` |
/// | [`systemd`](Self::systemd) | `SIGTERM` | 90 s | 88 s | none | `INVOCATION_ID` |
/// | [`docker`](Self::docker) | `SIGTERM` | 10 s | 8 s | none | nothing: Docker sets no variable |
///
/// Signals and graces are defaults by the documentation of each platform, and were not tried there:
/// `terminationGracePeriodSeconds` of a pod, the container contract of Cloud Run, `kill_signal` and
/// `kill_timeout` of a Nomad task and of Fly's configuration, `stopTimeout` of an ECS container,
/// `TimeoutStopSec` of a unit, `docker stop`. A deployment may have others, which a process cannot
/// ask for: say so by [`grace`](Self::grace).
///
/// # The arithmetic
///
/// ```text
/// grace = before the signal + shutdown timeout + reserve
/// ```
///
/// The reserve is 2 s: the hard exit comes 1 s after the shutdown timeout, and 1 s is left for the
/// last output. A [`drop_timeout`](crate::Service::drop_timeout) above 1 s makes it longer by the
/// rest. All that is set below the shutdown timeout has its part of it: 25 % for cleanups, at most
/// 5 s, and so on, as the [manager](task_manager::ManagerBuilder#how-the-times-fit-together) lays
/// it out.
///
/// # What is set by hand
///
/// Settings win over the preset, whatever the order of the calls: a shutdown timeout of 5 s stays
/// 5 s, and the drain delay of Kubernetes is then a quarter of it. Those that do not fit are an
/// error: a shutdown timeout, or a drain delay with a cleanup timeout, that is longer than the
/// grace has room for; a phase timeout that is longer than what is left for the tasks; a signal of
/// the platform that does not stop the group. The service then fails to start, with
/// [`ExitCodes::setup_failed`](crate::ExitCodes::setup_failed), and the error, a [`PlatformError`]
/// or a [`SignalError`](task_signal::SignalError), says what would fit. Nothing is shortened
/// silently. The [stop timeout](task_core::Task::stop_timeout) of a single task is not checked: it
/// ends with the shutdown at the latest, which the report says where it matters.
///
/// One line in the log, at the start, says what holds: `shutdown fits the platform`, with fields
/// for all of it and for where it is from.
///
/// # Examples
///
/// ```no_run
/// use std::{process::ExitCode, time::Duration};
/// use task_service::{Platform, Service};
///
/// fn main() -> ExitCode {
///     Service::new()
///         // What the manifest says.
///         .platform(Platform::kubernetes().grace(Duration::from_secs(60)))
///         .run(async |manager| Ok(()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to `Service::platform`"]
pub struct Platform {
    name: Cow<'static, str>,
    /// What it was chosen by.
    chosen_by: &'static str,
    /// What it stops a process with.
    signals: &'static [Signal],
    grace: Grace,
    /// How much of the grace is over when the signal comes.
    before_signal: Duration,
    drain: Duration,
    message_file: MessageFile,
}

/// How long after the beginning of a stop the platform kills the process, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Grace {
    /// The default of the platform.
    Default(Duration),
    Set(Duration),
    /// The text of the variable.
    Variable(String),
}

/// Where the message of the end goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum MessageFile {
    None,
    /// Here, if the file is there at the start.
    IfThere(&'static str),
    /// Here, as the deployment has set.
    At(PathBuf),
}

const PROGRAM: &str = "the program";
const TERM: &[Signal] = &[Signal::TERM];
const INT_OR_TERM: &[Signal] = &[Signal::INT, Signal::TERM];
/// How long the endpoints of a pod may take to be without it. `preStop` hooks are of that length.
const KUBERNETES_DRAIN: Duration = Duration::from_secs(5);

impl Platform {
    /// A pod of Kubernetes: 30 s from the beginning of its `preStop` hook on.
    ///
    /// The service goes on working for 5 s after the signal, while the cluster takes the pod out of
    /// its endpoints, as by [`drain_delay`](task_manager::ManagerBuilder::drain_delay). With a
    /// [`pre_stop`](Self::pre_stop) it does not: the hook does the same. On a cluster of one node,
    /// the last new connection came at most 1.0 s after the request to delete the pod with
    /// kube-proxy by iptables, 1.2 s with nftables (median 0.2 s; 20 deletions each, half with 2
    /// endpoints, half with 10). More nodes, and a balancer in front, may take longer.
    ///
    /// Where `/dev/termination-log` is there at the start, it gets the
    /// [message](crate::Service::termination_log) that `kubectl describe pod` shows. The flagship
    /// `pipeline`, ended in each way on a node of Kubernetes 1.35, with the default exit codes:
    ///
    /// | end | code | reason | the message begins with |
    /// |---|---|---|---|
    /// | by itself | 0 | `Completed` | ``exit code 0, cause: it has run for 2s (task `run-for`)`` |
    /// | `SIGTERM` | 0 | `Completed` | ``exit code 0, cause: signal SIGTERM (task `signals`)`` |
    /// | a task fails | 1 | `Error` | ``exit code 1, cause: task `fault` failed`` |
    /// | a task panics | 1 | `Error` | ``exit code 1, cause: task `fault` panicked`` |
    /// | bad arguments | 2 | `Error` | |
    /// | the setup fails | 3 | `Error` | `exit code 3, cause: the setup failed` |
    /// | `SIGTERM` while the setup blocks the main thread | 4 | `Error` | ``exit code 4, cause: signal SIGTERM (task `signals`)`` |
    /// | `SIGKILL` | 137 | `Error` | |
    /// | the memory's limit | 137 | `OOMKilled` | |
    ///
    /// If tasks block every worker, the liveness probe fails, and the kubelet stops the container
    /// by `SIGTERM` and runs it again: code 1, and the message names the tasks that block. A stop
    /// that takes longer than the grace ends with `SIGKILL` in the second that it says.
    pub fn kubernetes() -> Self {
        Self {
            drain: KUBERNETES_DRAIN,
            message_file: MessageFile::IfThere("/dev/termination-log"),
            ..Self::new("Kubernetes", TERM, 30)
        }
    }

    /// An instance of Cloud Run: 10 s.
    pub fn cloud_run() -> Self {
        Self::new("Cloud Run", TERM, 10)
    }

    /// A task of Nomad: 5 s. It stops with `SIGINT`, and with `SIGTERM` where the driver is Docker.
    pub fn nomad() -> Self {
        Self::new("Nomad", INT_OR_TERM, 5)
    }

    /// A machine of Fly.io: 5 s. It stops with `SIGINT`.
    pub fn fly() -> Self {
        Self::new("Fly.io", INT_OR_TERM, 5)
    }

    /// A container of Amazon ECS: 30 s.
    pub fn ecs() -> Self {
        Self::new("ECS", TERM, 30)
    }

    /// A unit of systemd: 90 s.
    pub fn systemd() -> Self {
        Self::new("systemd", TERM, 90)
    }

    /// A container that `docker stop` or Compose stops: 10 s.
    pub fn docker() -> Self {
        Self::new("Docker", TERM, 10)
    }

    /// Any other platform that stops with `SIGTERM`, and kills the process after this time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_service::Platform;
    ///
    /// let heroku = Platform::other("Heroku", Duration::from_secs(30));
    /// assert_eq!(heroku.name(), "Heroku");
    /// ```
    pub fn other(name: impl Into<Cow<'static, str>>, grace: Duration) -> Self {
        Self { grace: Grace::Set(grace), name: name.into(), ..Self::new("", TERM, 0) }
    }

    fn new(name: &'static str, signals: &'static [Signal], grace: u64) -> Self {
        Self {
            name: Cow::Borrowed(name),
            chosen_by: PROGRAM,
            signals,
            grace: Grace::Default(Duration::from_secs(grace)),
            before_signal: Duration::ZERO,
            drain: Duration::ZERO,
            message_file: MessageFile::None,
        }
    }

    /// Sets how long after the beginning of a stop the platform kills the process. Default: as in
    /// the [table](Self).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Grace::Set(grace);
        self
    }

    /// Sets how much of the grace is over when the signal comes: the length of a `preStop` hook.
    /// Default: zero.
    ///
    /// Unless it is zero, the preset has no drain delay: a hook that sleeps does what that does.
    pub fn pre_stop(mut self, length: Duration) -> Self {
        self.before_signal = length;
        self
    }

    /// Returns the platform's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the program named it, and not the environment.
    #[cfg(feature = "kubernetes")]
    fn is_chosen_by_program(&self) -> bool {
        self.chosen_by == PROGRAM
    }

    /// Returns the file for the message of the end, if there is one.
    fn message_file(&self) -> Option<PathBuf> {
        match &self.message_file {
            MessageFile::None => None,
            MessageFile::IfThere(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            MessageFile::At(path) => Some(path.clone()),
        }
    }
}
