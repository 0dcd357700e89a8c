//! The metrics that are served.

use std::panic::Location;

use super::HttpTaskBuilder;
use crate::{config::HttpErrorKind, metrics::MetricsSource};

impl HttpTaskBuilder {
    /// Adds a source of metrics, such as a registry. Default: the
    /// [built-in families](crate#metrics) alone.
    ///
    /// May be called several times. All sources are served in each format: see [`MetricsSource`]
    /// for what a conversion keeps. Building the task fails if a source has no format. In the log,
    /// a source is named by the place where it was added.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{HttpTask, openmetrics_source, text_source};
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder()
    ///     .metrics(text_source(|| String::from("# TYPE jobs gauge\njobs 3\n")))
    ///     .metrics(openmetrics_source(|| String::from("# TYPE orders counter\norders_total 1\n")))
    ///     .bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn metrics(mut self, source: impl MetricsSource) -> Self {
        let result = self.sources.add(source, Location::caller());
        self.record(result);
        self
    }

    /// Leaves out the built-in families of the group (`task_*`). Default: served.
    ///
    /// The families of the server, which begin with `task_` too, stay: see
    /// [`without_server_metrics`](Self::without_server_metrics).
    pub fn without_group_metrics(mut self) -> Self {
        self.families.group = false;
        self
    }

    /// Leaves out the built-in families of the process (`process_*`). Default: served, on Linux.
    ///
    /// A family that a source has, too, is taken from the source in any case.
    pub fn without_process_metrics(mut self) -> Self {
        self.families.process = false;
        self
    }

    /// Leaves out the built-in families of the runtime (`tokio_*`). Default: served.
    ///
    /// These include the results of the heartbeat, which goes on: see
    /// [`without_heartbeat`](Self::without_heartbeat).
    pub fn without_runtime_metrics(mut self) -> Self {
        self.families.runtime = false;
        self
    }

    /// Leaves out the built-in families of the server (`task_http_*`, `task_health_*`). Default:
    /// served.
    pub fn without_server_metrics(mut self) -> Self {
        self.families.server = false;
        self
    }

    /// Sets the prefix of the built-in families, except `process_*` and `tokio_*`. Default:
    /// `task_`.
    ///
    /// With `orders_`, `task_manager_state` becomes `orders_manager_state`. The prefix consists of
    /// ASCII letters, digits, underscores and colons and does not begin with a digit, or building
    /// the task fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder().metrics_prefix("orders_").bind("127.0.0.1:0")?;
    /// assert!(HttpTask::builder().metrics_prefix("1st_").bind("127.0.0.1:0").is_err());
    /// # Ok(()) }
    /// ```
    pub fn metrics_prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
        let begins_well = prefix.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        if begins_well && prefix.bytes().all(is_legal) {
            self.families.prefix = prefix.into();
        } else {
            self.record(Err(HttpErrorKind::Prefix(prefix)));
        }
        self
    }
}
