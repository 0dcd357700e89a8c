//! The checks of the probes.

use std::{iter, sync::Arc};

use tokio::runtime::Handle;

use crate::{
    health::check::{Check, CheckFuture, Probe},
    task::HttpTask,
};

impl HttpTask {
    /// Adds a check to `/readyz`: not ready while it fails.
    ///
    /// A check runs when somebody asks, together with the others, and not again while its last result is fresh (1 s).
    /// It fails if it returns an error, panics, or takes longer than a second; see [`Limits::check_time`](crate::Limits::check_time) and
    /// [`Limits::check_age`](crate::Limits::check_age). It must not block its thread: a worker that is blocked can take the runtime's timers and
    /// sockets with it, and with them the probes. A name that is taken gets a suffix, `#2` and so on.
    ///
    /// ```
    /// # use task_http::HttpTask;
    /// # async fn ping() -> anyhow::Result<()> { Ok(()) }
    /// # fn main() -> anyhow::Result<()> {
    /// let http = HttpTask::bind("127.0.0.1:0")?.check("database", || ping());
    /// # Ok(()) }
    /// ```
    pub fn check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Ready, check)
    }

    /// Adds a check to `/livez`, like [`check`](Self::check): the process is restarted while it fails. It must never
    /// look at anything outside the process: a database that is down is no reason to restart its clients.
    pub fn liveness_check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Live, check)
    }

    /// Shows the errors of checks in the probes' answers. They may hold what not everybody should read, addresses and
    /// user names for instance. Default: `reason withheld`.
    pub fn reveal_reasons(mut self) -> Self {
        self.reveals_reasons = true;
        self
    }

    /// Watches another runtime too: `/livez` fails, at the line `runtime/NAME`, while that one takes longer than
    /// [`Limits::stall_time`](crate::Limits::stall_time) to run a task that was just spawned. With the server on a
    /// small runtime of its own, this is how a wedged service still answers, and says what is wrong. A runtime that was
    /// shut down has not stalled. A name that is taken gets a suffix, `#2` and so on. Default: only the runtime that
    /// runs the server is watched, as `runtime`.
    pub fn watch_runtime(mut self, name: impl AsRef<str>, runtime: Handle) -> Self {
        let is_taken = |name: &str| self.runtimes.iter().any(|(known, _)| known == name);
        let name = unique(&format!("runtime/{}", name.as_ref()), is_taken);
        self.runtimes.push((name, runtime));
        self
    }

    /// Watches no runtime, and starts no thread to do so. `/livez` then says of its own runtime that it answers.
    /// Default: watched.
    pub fn without_heartbeat(self) -> Self {
        Self { has_heartbeat: false, ..self }
    }

    fn with_check<F, Fut>(mut self, name: String, probe: Probe, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        // The probes' own lines have these names.
        let is_ours = matches!(name.as_str(), "manager" | "runtime")
            || name.starts_with("task/")
            || name.starts_with("runtime/");
        let name = if is_ours { format!("check/{name}") } else { name };
        let is_taken =
            |name: &str| self.checks.iter().any(|known| known.probe == probe && known.name == name);
        let name = unique(&name, is_taken);
        let run = Box::new(move || Box::pin(check()) as CheckFuture);
        self.checks.push(Arc::new(Check::new(name, probe, run)));
        self
    }
}

fn unique(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let suffixed = (2_u64..).map(|number| format!("{name}#{number}"));
    let mut candidates = iter::once(name.to_owned()).chain(suffixed);
    candidates.find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}
