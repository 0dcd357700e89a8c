//! Which metrics are served.

use crate::{HttpTask, MetricsSource};

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
}
