//! Which metrics are served.

use crate::{config::PrefixError, metrics::MetricsSource, task::HttpTask};

impl HttpTask {
    /// Adds a source of metrics, such as a registry. See [`MetricsSource`] for the rules among several. Default: none
    /// but the [own metrics](crate#metrics).
    pub fn metrics(mut self, source: impl MetricsSource) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Leaves out `task_*`, the metrics of the group. Default: shown.
    pub fn without_group_metrics(mut self) -> Self {
        self.shown.group = false;
        self
    }

    /// Leaves out `process_*`. A family that a source has too is left out anyway. Default: shown, on Linux.
    pub fn without_process_metrics(mut self) -> Self {
        self.shown.process = false;
        self
    }

    /// Leaves out `tokio_*`. Default: shown.
    pub fn without_runtime_metrics(mut self) -> Self {
        self.shown.runtime = false;
        self
    }

    /// Leaves out `task_http_*` and `task_health_*`, what the server counts about itself. Default: shown.
    pub fn without_server_metrics(mut self) -> Self {
        self.shown.server = false;
        self
    }

    /// Begins the names of our own families with another prefix than `task_`: with `orders_`, `task_manager_state` is
    /// `orders_manager_state`. Families named `process_*` and `tokio_*` keep their names. Default: `task_`.
    ///
    /// # Errors
    ///
    /// If it is none: letters, digits, underscores and colons, and no digit in front.
    pub fn metrics_prefix(mut self, prefix: impl Into<String>) -> Result<Self, PrefixError> {
        let prefix = prefix.into();
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
        let is_led = prefix.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        if !is_led || !prefix.bytes().all(is_legal) {
            return Err(PrefixError::new(prefix));
        }
        self.shown.prefix = prefix.into();
        Ok(self)
    }
}
