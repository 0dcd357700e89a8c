//! The checks of the probes.

use std::{iter, sync::Arc};

use tokio::runtime::Handle;

use super::HttpTaskBuilder;
use crate::health::check::{Check, CheckFuture, Probe};

impl HttpTaskBuilder {
    /// Adds a readiness check: `/readyz` fails while the check fails. Default: none.
    ///
    /// A check runs when a probe asks for it, concurrently with the others, and not again while its
    /// last result is fresh ([`Limits::check_age`](crate::Limits::check_age), 1 s). It fails if it
    /// returns an error, panics, or takes longer than
    /// [`Limits::check_timeout`](crate::Limits::check_timeout) (1 s). Probes that arrive at the
    /// same time share one run, which ends with the task.
    ///
    /// It must not block its thread: a blocked worker can hold the timers and sockets of the
    /// runtime, and the probes with them.
    ///
    /// A name that is taken gets a suffix: `#2`, `#3` and so on. A name that the probes use
    /// themselves (`manager`, `runtime`, or below `task/` and `runtime/`) gets the prefix `check/`.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::HttpTask;
    ///
    /// # async fn ping() -> anyhow::Result<()> { Ok(()) }
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let http = HttpTask::builder().check("database", || ping()).bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    pub fn check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Ready, check)
    }

    /// Adds a liveness check: `/livez` fails while the check fails. Default: none.
    ///
    /// The platform restarts the process then, so the check must not depend on anything outside of
    /// the process: a database that is down is no reason to restart its clients. All else is as for
    /// [`check`](Self::check).
    ///
    /// # Examples
    ///
    /// A loop that must come round at least once a minute:
    ///
    /// ```
    /// use std::{
    ///     sync::{Arc, Mutex},
    ///     time::{Duration, Instant},
    /// };
    ///
    /// use task_http::HttpTask;
    ///
    /// # fn main() -> Result<(), task_http::HttpError> {
    /// let last_round = Arc::new(Mutex::new(Instant::now())); // set by the loop
    /// let http = HttpTask::builder()
    ///     .liveness_check("loop", move || {
    ///         let works =
    ///             last_round.lock().is_ok_and(|at| at.elapsed() < Duration::from_secs(60));
    ///         async move {
    ///             anyhow::ensure!(works, "no round for a minute");
    ///             Ok(())
    ///         }
    ///     })
    ///     .bind("127.0.0.1:0")?;
    /// # Ok(()) }
    /// ```
    pub fn liveness_check<F, Fut>(self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.with_check(name.into(), Probe::Live, check)
    }

    /// Shows the errors of checks in the responses of the probes. Default: `reason withheld`.
    ///
    /// An error may contain what not every client should read, such as addresses and user names.
    /// The text is that of the error and its causes, `{:#}`, with control characters as blanks.
    pub fn reveal_reasons(self) -> Self {
        Self { reveals_reasons: true, ..self }
    }

    /// Watches another runtime, too. Default: only the runtime that runs the server is watched, as
    /// `runtime`.
    ///
    /// The line `runtime/NAME` of `/livez` fails while that runtime takes longer than
    /// [`Limits::stall_timeout`](crate::Limits::stall_timeout) to run a task that was just spawned.
    /// With the server on a small runtime of its own, `/livez` then responds, and names the cause,
    /// even if the runtime of the service is blocked. A runtime that was shut down has not stalled.
    ///
    /// A name that is taken gets a suffix: `#2`, `#3` and so on.
    ///
    /// # Examples
    ///
    /// A task that runs the server on a runtime of its own:
    ///
    /// ```
    /// use task_core::{Context, Phase, Task, task_fn};
    /// use task_http::HttpTask;
    /// use tokio::runtime::{Builder, Handle};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let http = HttpTask::builder().watch_runtime("main", Handle::current()).bind("127.0.0.1:0")?;
    /// let probes = task_fn("http", async move |ctx: Context| {
    ///     let serve = move || {
    ///         let runtime = Builder::new_current_thread().enable_all().build()?;
    ///         runtime.block_on(http.run(ctx))
    ///     };
    ///     tokio::task::spawn_blocking(serve).await?
    /// });
    /// let probes = probes.in_phase(Phase::SUPPORT);
    /// // In a service: manager.run(probes)?;
    /// # let stage = std::sync::Arc::new(task_core::scope::StageCell::new());
    /// # stage.advance(task_core::scope::Stage::Cancelled);
    /// # probes.run(Context::new(stage)).await
    /// # }
    /// ```
    pub fn watch_runtime(mut self, name: impl AsRef<str>, runtime: Handle) -> Self {
        let is_taken = |name: &str| self.runtimes.iter().any(|(known, _)| known == name);
        let name = unique(&format!("runtime/{}", name.as_ref()), is_taken);
        self.runtimes.push((name, runtime));
        self
    }

    /// Watches no runtime, and starts no thread for that. Default: watched.
    ///
    /// The line `runtime` of `/livez` then means no more than that the server responds, and the
    /// families `tokio_spawn_delay_seconds` and `tokio_stalls_total` are not served. The heartbeat
    /// wakes the process once a second, or more often with a short
    /// [stall timeout](crate::Limits::stall_timeout): leave it out where that counts.
    pub fn without_heartbeat(self) -> Self {
        Self { has_heartbeat: false, ..self }
    }

    /// Adds a check under a name that no other check of the probe has.
    fn with_check<F, Fut>(mut self, name: String, probe: Probe, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let is_reserved = matches!(name.as_str(), "manager" | "runtime")
            || name.starts_with("task/")
            || name.starts_with("runtime/");
        let name = if is_reserved { format!("check/{name}") } else { name };
        let is_taken =
            |name: &str| self.checks.iter().any(|known| known.probe == probe && known.name == name);
        let name = unique(&name, is_taken);
        let run = Box::new(move || Box::pin(check()) as CheckFuture);
        self.checks.push(Arc::new(Check::new(name, probe, run)));
        self
    }
}

/// Returns the name, or the first of `NAME#2`, `NAME#3`, ... that is not taken.
fn unique(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let suffixed = (2_u64..).map(|number| format!("{name}#{number}"));
    let mut candidates = iter::once(name.to_owned()).chain(suffixed);
    candidates.find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}
