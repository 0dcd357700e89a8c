//! One message to systemd: fields, one a line.

use std::time::Duration;

use task_core::scope::guarded_name;

/// A message, to which fields are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message(String);

impl Message {
    pub(crate) fn ready() -> Self {
        Self("READY=1".into())
    }

    pub(crate) fn stopping() -> Self {
        Self("STOPPING=1".into())
    }

    pub(crate) fn watchdog() -> Self {
        Self("WATCHDOG=1".into())
    }

    pub(crate) fn reloading(monotonic_micros: u64) -> Self {
        Self("RELOADING=1".into()).field("MONOTONIC_USEC", monotonic_micros)
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "Linux alone hands it over"))]
    pub(crate) fn store(name: &str) -> Self {
        Self("FDSTORE=1".into()).field("FDNAME", name)
    }

    pub(crate) fn remove(name: &str) -> Self {
        Self("FDSTOREREMOVE=1".into()).field("FDNAME", name)
    }

    pub(crate) fn extend(time: Duration) -> Self {
        Self::default().extended(time)
    }

    /// The text becomes one line, of at most 4 KiB and a mark if it is cut: a line more would be a
    /// field more.
    pub(crate) fn status(text: &str) -> Self {
        Self::default().with_status(text)
    }

    pub(crate) fn with_status(self, text: &str) -> Self {
        self.field("STATUS", guarded_name(text))
    }

    pub(crate) fn extended(self, time: Duration) -> Self {
        self.field("EXTEND_TIMEOUT_USEC", time.as_micros())
    }

    fn field(mut self, name: &str, value: impl ToString) -> Self {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0 += name;
        self.0.push('=');
        self.0 += &value.to_string();
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it has a status and nothing else, so that a later one makes it superfluous.
    pub(crate) fn is_status(&self) -> bool {
        self.0.starts_with("STATUS=")
    }
}
