//! A task that serves metrics, probes and the task table over HTTP, with no wiring: what it shows of the service, it
//! takes from the group that it runs in.
//!
//! ```no_run
//! # use task_core::{Context, Task};
//! # async fn ping() -> anyhow::Result<()> { Ok(()) }
//! # struct Manager; impl Manager { fn run<T: Task>(&self, _: T) -> anyhow::Result<()> { Ok(()) } }
//! # fn setup(manager: &Manager) -> anyhow::Result<()> {
//! use task_http::{HttpTask, text_source};
//!
//! let http = HttpTask::bind("0.0.0.0:9090")?             // an address in use is an error here, not later
//!     .metrics(text_source(|| String::from("jobs 3\n"))) // or a registry: see the features
//!     .check("database", || ping());
//! manager.run(http)?;
//! # Ok(()) }
//! ```
//!
//! # Endpoints
//!
//! | path | answers |
//! |---|---|
//! | `/metrics` | metrics, in the Prometheus text format 0.0.4 or OpenMetrics 1.0, as negotiated; gzip |
//! | `/livez`, `/healthz` | 200 if the runtime runs what it is given and every [liveness check](HttpTask::liveness_check) passes; also while the service shuts down |
//! | `/readyz` | 200 if the group is ready and every [check](HttpTask::check) passes; 503 from the first instant of a shutdown on |
//! | `/startupz` | 503 until the group has been ready once, 200 from then on |
//! | `/tasks` | every living task, and in a shutdown what it waits for and for how long: JSON for who prefers it by `Accept` or `?format=json`, else a page |
//! | `/` | this list |
//!
//! `GET` and `HEAD` only: other methods get 405 with `Allow`, other paths 404. A probe answers `ok`, or 503 with one
//! line for each culprit, by name: `[-]task/consumer failed: not ready`. `?verbose` shows what is well too;
//! `?exclude=NAME`, any number of times, leaves something out; `/readyz/NAME` looks at one thing alone. Why a check
//! failed is withheld unless [asked for](HttpTask::reveal_reasons). By `Accept` or `?format=json`, a probe tells all that
//! it looked at as JSON, with the same status. Paths can be [changed](HttpTask::path).
//!
//! Routes of your own stand beside these: [`HttpTask::route`] for a closure, `HttpTask::service` (feature `tower`) for a
//! service such as an axum router. They are under the same limits, and end with the same stop.
//!
//! # Who may read it
//!
//! Everybody who reaches the address, unless told otherwise: [`Access`] asks for a token, a password or a network for
//! everything but the probes, and `Tls` (feature `tls`) encrypts. Tokens, passwords and certificates in files are read
//! again when they change.
//!
//! # Metrics
//!
//! Beside those of any [`MetricsSource`], with no registry:
//!
//! | families | about |
//! |---|---|
//! | `task_manager_state{state}`, `task_manager_ready`, `task_manager_started` | the group: its step and its readiness |
//! | `task_manager_shutdown_start_time_seconds`, `task_manager_shutdown_timeout_seconds`, `task_manager_shutdown_remaining_seconds` | the shutdown, from its trigger on; the latter two if it has a limit |
//! | `task_alive`, `task_starts_total` | all its tasks |
//! | `task_running{task}`, `task_exits_total{task,outcome}` | the tasks of a name, also after the last one has ended |
//! | `task_ready{task}`, `task_restarts{task}`, `task_failures{task}`, `task_start_time_seconds{task}` | the living tasks of a name |
//! | `task_stop_duration_seconds{task}` | in a shutdown, how long the last task of a name took to stop |
//! | `task_cleanups_total{outcome}`, `task_cleanup_duration_seconds{cleanup}` | the cleanups; a group's own server ends before they run, and shows zero |
//! | `task_signals_received_total{signal}` | the signals that tasks said they received |
//! | `task_http_requests_total{route,code}`, `task_http_request_duration_seconds{route}`, `task_http_connections`, `task_http_connections_rejected_total{reason}`, `task_http_scrapes_in_flight`, `task_http_scrape_errors_total{cause}`, `task_http_reloads_total{what,outcome}` | this server |
//! | `task_health_check_status{probe,check}` | each check's last result |
//! | `process_*` | the process, as every Prometheus client has it; Linux only |
//! | `tokio_*` | the runtime, as far as Tokio's stable API goes; and how long it takes to run what is spawned |
//!
//! A name is its first 64 bytes. At most 200 names have series of their own: those of living critical tasks first, then
//! those of tasks that have ended, then those of living ephemeral ones; the rest is added up as `other`. The prefix
//! `task_` can be [another](HttpTask::metrics_prefix).
//!
//! Sources are encoded on a blocking thread, once for all who ask at the same time. One that fails or panics costs a
//! 500, one that takes too long a 503, and the next scrape starts afresh. A family that two sources have is taken from
//! the first; one of ours gives way.
//!
//! # Limits
//!
//! Every resource that a client can take has one: see [`Limits`]. Slow, silent or many clients are closed to make room,
//! and probes have nothing in common with scrapes but the connections, of which scrapes leave them half.
//!
//! # Stopping
//!
//! It is a [support task](task_core::Phase::SUPPORT): it outlives the work, so that the whole shutdown can be watched
//! through it. From the drain on, every answer closes its connection. Once cancelled, it
//!
//! 1. closes its listeners: new connections are refused, and the file of a Unix socket is gone;
//! 2. closes connections that wait for a request, or for the rest of one's header;
//! 3. lets answers in progress end, for [`Limits::stop_time`], or for what the shutdown leaves if that is less;
//! 4. drops the rest, and ends.
//!
//! # Limitations
//!
//! - HTTP/1.1 only.
//! - A source or check that never ends is left behind: a check is aborted with the task, but a source blocks one
//!   thread of the runtime's pool (never more than four: one for each format, plain and compressed).
//! - A runtime whose threads are all blocked answers nothing, not even `/livez`: the probe times out, which is a failure
//!   too. A plain thread notices, logs an error and counts it. To be told by an answer, run the server on a runtime of
//!   its own and [watch](HttpTask::watch_runtime) the service's. One blocked thread of several is not noticed, as long
//!   as the others run what is spawned.
//!
//! # Features
//!
//! `prometheus-client`, `prometheus` and `metrics-exporter-prometheus` make the registry of that crate a
//! [`MetricsSource`]; `tls` adds `Tls`, by rustls with the provider ring, which builds with a C compiler; `tower` adds
//! `HttpTask::service`. Nothing is on by default.

mod task;

mod serve;

mod handlers;

mod metrics;

mod health;

mod message;

mod activity;
mod stats;

mod config;

mod caught;
mod flight;
mod reload;

pub use config::{
    Access, AccessError, BindError, BodyError, BoundAddress, Endpoint, Format, Limits,
    ListenOptions, Listener, PathError, PrefixError,
};
#[cfg(feature = "tls")]
pub use config::{Tls, TlsError};
/// The types of requests and answers, for [`HttpTask::route`].
pub use http;
pub use message::body::RequestBody;
pub use metrics::{ClosureSource, MetricsSource, openmetrics_source, text_source};
pub use task::HttpTask;

/// The example of the README, built with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
