//! What systemd passes to a service in its environment.

use std::{
    env,
    ffi::{OsStr, OsString},
    process,
    time::Duration,
};

use task_core::scope::guarded_name;

use crate::error::{ErrorKind, SystemdError};

/// What systemd passes to a service in its environment: where it listens to messages, and the time
/// of its watchdog.
///
/// [`SystemdTask::new`](crate::SystemdTask::new) reads that of the process. Tests, and programs
/// that take the values from elsewhere, set them here.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_systemd::{Environment, SystemdTask};
///
/// # fn main() -> Result<(), task_systemd::SystemdError> {
/// let environment = Environment::new()
///     .notify_socket("/run/systemd/notify")
///     .watchdog(Duration::from_secs(10));
/// let systemd = SystemdTask::with(&environment)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    notify_socket: Option<OsString>,
    watchdog: Option<Duration>,
}

impl Environment {
    /// Creates that of a process that does not run under systemd.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads that of this process: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    ///
    /// A watchdog that is meant for another process, by `WATCHDOG_PID`, is none.
    ///
    /// # Errors
    ///
    /// If `WATCHDOG_USEC` or `WATCHDOG_PID` is not a number, or is zero.
    pub fn read() -> Result<Self, SystemdError> {
        Self::read_from(env::var_os, process::id())
    }

    fn read_from(
        read: impl Fn(&'static str) -> Option<OsString>,
        own_id: u32,
    ) -> Result<Self, SystemdError> {
        let number = |name| read(name).map(|value| number(name, &value)).transpose();
        let micros = number("WATCHDOG_USEC")?;
        let is_ours = number("WATCHDOG_PID")?.is_none_or(|id| id == u64::from(own_id));
        let watchdog = micros.filter(|_| is_ours).map(Duration::from_micros);
        Ok(Self { notify_socket: read("NOTIFY_SOCKET"), watchdog })
    }

    /// Sets where systemd listens to messages: a path, or an abstract name that begins with `@`.
    /// Default: nowhere.
    pub fn notify_socket(self, address: impl Into<OsString>) -> Self {
        Self { notify_socket: Some(address.into()), ..self }
    }

    /// Sets the time of the watchdog. Default: none.
    pub fn watchdog(self, time: Duration) -> Self {
        Self { watchdog: Some(time), ..self }
    }

    pub(crate) fn notify_address(&self) -> Option<&OsStr> {
        self.notify_socket.as_deref()
    }

    pub(crate) fn watchdog_time(&self) -> Option<Duration> {
        self.watchdog
    }
}

/// A number that is not zero.
fn number(name: &'static str, value: &OsStr) -> Result<u64, ErrorKind> {
    let number = value.to_str().and_then(|value| value.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| ErrorKind::Variable {
        name,
        value: guarded_name(&value.to_string_lossy()),
        fault: "not a number above zero",
    })
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, time::Duration};

    use super::Environment;

    fn read(values: &[(&'static str, &str)]) -> Result<Environment, String> {
        let value = |name| values.iter().find(|(known, _)| *known == name);
        Environment::read_from(|name| value(name).map(|(_, value)| OsString::from(value)), 7)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_watchdog_counts_if_it_is_meant_for_this_process_or_for_none_by_name() {
        let ours = Environment::new().watchdog(Duration::from_millis(1500));
        assert_eq!(read(&[("WATCHDOG_USEC", "1500000")]), Ok(ours.clone()));
        assert_eq!(read(&[("WATCHDOG_USEC", "1500000"), ("WATCHDOG_PID", "7")]), Ok(ours));
        let none = read(&[("WATCHDOG_USEC", "1500000"), ("WATCHDOG_PID", "8")]);
        assert_eq!(none, Ok(Environment::new()));
    }

    #[test]
    fn a_value_that_is_not_understood_is_an_error_that_names_it() {
        for value in ["0", "", "-1", "1s", "99999999999999999999"] {
            let expected = format!("WATCHDOG_USEC is `{value}`, which is not a number above zero");
            assert_eq!(read(&[("WATCHDOG_USEC", value)]), Err(expected));
        }
        let forged = read(&[("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "7\nREADY=1")]);
        assert!(forged.is_err_and(|error| !error.contains('\n')));
    }
}
