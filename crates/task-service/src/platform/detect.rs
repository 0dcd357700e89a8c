//! Which platform the environment says it is.

use std::{env, ffi::OsString, path::PathBuf, process, time::Duration};

use super::{Grace, MessageFile, Platform};

/// The variable for the grace, in whole seconds.
pub(crate) const GRACE: &str = "TASK_GRACE_SECONDS";
/// The variable for the file of the message.
pub(crate) const TERMINATION_LOG: &str = "TASK_TERMINATION_LOG";

impl Platform {
    /// Recognises the platform by the environment of the process, or returns `None`. Nothing else
    /// reads the environment: without this call, nothing is recognised.
    ///
    /// The first of these variables that is set decides, in the order of the [table](Self):
    /// Kubernetes before Cloud Run, whose variable Knative sets in pods, and systemd last, whose
    /// variable the children of a service inherit. It counts only if `SYSTEMD_EXEC_PID`, which
    /// systemd sets from version 248 on, is unset or the pid of this process: a service that a
    /// script of a unit starts has to name its platform. Docker sets no variable.
    ///
    /// Two variables are for the deployment, which alone knows what they say. They need no change
    /// of the program:
    ///
    /// | variable | what it sets | if it is set and nothing was recognised |
    /// |---|---|---|
    /// | `TASK_GRACE_SECONDS` | [`grace`](Self::grace), in whole seconds: beside `terminationGracePeriodSeconds` in the manifest | a platform that stops with `SIGTERM`, as [`other`](Self::other) |
    /// | `TASK_TERMINATION_LOG` | the file for the [message](crate::Service::termination_log) | no effect |
    ///
    /// A value that is no number makes the service fail to start, with a [`PlatformError`].
    ///
    /// [`PlatformError`]: super::PlatformError
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use task_service::{Platform, Service};
    ///
    /// fn main() -> ExitCode {
    ///     // On a developer's machine it is `None`, and the defaults of the manager hold.
    ///     Service::new().platform(Platform::detect()).run(async |manager| Ok(()))
    /// }
    /// ```
    pub fn detect() -> Option<Self> {
        Self::of(|name| env::var_os(name).filter(|value| !value.is_empty()), process::id())
    }

    /// As [`detect`](Self::detect), in this environment of the process with this pid.
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> Option<Self> {
        let main = variable("SYSTEMD_EXEC_PID");
        let is_unit = main.is_none_or(|main| main.to_str() == Some(&*pid.to_string()));
        let known = [
            ("KUBERNETES_SERVICE_HOST", Self::kubernetes()),
            ("K_SERVICE", Self::cloud_run()),
            ("NOMAD_ALLOC_ID", Self::nomad()),
            ("FLY_MACHINE_ID", Self::fly()),
            ("FLY_ALLOC_ID", Self::fly()),
            ("ECS_CONTAINER_METADATA_URI_V4", Self::ecs()),
            ("INVOCATION_ID", Self::systemd()),
        ]
        .into_iter()
        .find(|(name, _)| variable(name).is_some() && (*name != "INVOCATION_ID" || is_unit))
        .map(|(chosen_by, preset)| Self { chosen_by, ..preset });
        let grace = variable(GRACE).map(|text| text.to_string_lossy().into_owned());
        let unknown = || {
            let unknown = Self::other("unknown", Duration::ZERO);
            grace.is_some().then_some(Self { chosen_by: GRACE, ..unknown })
        };
        let mut platform = known.or_else(unknown)?;
        if let Some(text) = grace {
            platform.grace = Grace::Variable(text);
        }
        if let Some(path) = variable(TERMINATION_LOG) {
            platform.message_file = MessageFile::At(PathBuf::from(path));
        }
        Some(platform)
    }
}
