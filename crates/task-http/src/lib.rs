//! A task that serves metrics, probes and the task table over HTTP/1.1.
//!
//! [`HttpTask`] shows the group that it runs in: which tasks there are, whether they are ready, how
//! they ended, and how far a shutdown is. It takes all of this from its
//! [`Context`](task_core::Context), so there is nothing to wire. A service adds its own metrics,
//! checks and routes.
//!
//! # Examples
//!
//! ```no_run
//! # use task_core::{Context, Task};
//! # async fn ping() -> anyhow::Result<()> { Ok(()) }
//! # struct Manager; impl Manager { fn run<T: Task>(&self, _: T) -> anyhow::Result<()> { Ok(()) } }
//! # fn setup(manager: &Manager) -> anyhow::Result<()> {
//! use task_http::{HttpTask, text_source};
//!
//! let http = HttpTask::builder()
//!     .metrics(text_source(|| String::from("jobs 3\n"))) // or a registry: see the features
//!     .check("database", || ping())
//!     .bind("0.0.0.0:9090")?; // an address in use is an error here, not later
//! manager.run(http)?;
//! # Ok(()) }
//! ```
//!
//! # Configuration
//!
//! A task is made by a builder, since the addresses are bound after the settings are known to be
//! good. The setters of [`HttpTaskBuilder`], [`Access`], [`Limits`], `Tls` and [`ListenOptions`]
//! return `Self`. All checks are in [`HttpTaskBuilder::bind`] and its siblings, which return one
//! opaque [`HttpError`]. A task that was built can only fail at its start, for reasons that need
//! the runtime.
//!
//! # Endpoints
//!
//! | path | response |
//! |---|---|
//! | `/metrics` | metrics, in the Prometheus text format 0.0.4 or OpenMetrics 1.0, as negotiated; gzip |
//! | `/livez`, `/healthz` | 200 if the runtime runs spawned tasks and every [liveness check](HttpTaskBuilder::liveness_check) passes; also during a shutdown |
//! | `/readyz` | 200 if the group is ready and every [check](HttpTaskBuilder::check) passes; 503 from the start of a shutdown on |
//! | `/startupz` | 503 until the group has been ready once, 200 from then on |
//! | `/tasks` | what is wrong and who holds the stop, every living task, the timeline of a shutdown, the last events: as a [page](#the-page), or as JSON if the client prefers it by `Accept` or asks for it by `?format=json` |
//! | `/` | the list of paths |
//!
//! The methods are `GET` and `HEAD`. `OPTIONS`, the default check of HAProxy, gets the response of
//! `GET` at a probe and 204 elsewhere; other methods get 405. Both have `Allow`.
//! Other paths get 404. The paths can be [changed](HttpTaskBuilder::path).
//!
//! A probe responds with `ok`, or with 503 and one line for each item that fails, by its name:
//! `[-]task/consumer failed: not ready`. The query refines it:
//!
//! - `?verbose` lists the items that pass, too.
//! - `?exclude=NAME`, any number of times, leaves an item out.
//! - `/readyz/NAME` is about one item alone.
//! - `?format=json`, or an `Accept` that prefers JSON, returns all items as JSON, with the same
//!   status.
//!
//! The task table and `task_manager_ready` agree with `/readyz`: they run the same checks, whose
//! results are shared for [`Limits::check_age`], and name those that fail. They wait for a check at
//! most 750 ms, and then show its last result.
//!
//! The reason why a check failed is withheld unless it is
//! [revealed](HttpTaskBuilder::reveal_reasons).
//!
//! ## Responses as JSON
//!
//! Fields may be added in later versions, and are not removed. Times are in seconds, with a
//! fraction; a value that is not known is `null`.
//!
//! A probe returns this object:
//!
//! ```json
//! {"probe": "readyz", "passed": false, "checks": [
//!     {"name": "database", "passed": false, "reason": "timed out"},
//!     {"name": "manager", "passed": true, "reason": null}
//!   ], "unknown": ["a name to exclude that is not known"]}
//! ```
//!
//! `/tasks` returns an object with these fields:
//!
//! | field | value |
//! |---|---|
//! | `name`, `step`, `cause` | the name of the manager, its step, and the cause of the shutdown |
//! | `uptime_seconds`, `in_step_seconds`, `remaining_seconds` | since when it exists, since when it is in this step, and the time that the shutdown has left |
//! | `ready`, `started`, `blockers` | whether the group is ready, whether it has ever been, and why it is not |
//! | `totals`, `exits` | the number of tasks that have started, and that have ended by outcome; the latter also by name |
//! | `signals` | the number of signals by name |
//! | `tasks` | for each living task: `id`, `name`, `phase`, `ephemeral`, `state`, `in_state_seconds`, `uptime_seconds`, `remaining_seconds`, `deadline` (which one that is: `phase`, `phase timeout`, `stop timeout`, `no time left`, `escalation`), `gates_readiness`, `ready`, `status`, `restarts`, `failures`, `children` (how many are alive), `waiting_seconds` (until it works again), `groups` (those that it runs, each with the fields up to `shutdown` of this table; at most 16 levels) |
//! | `cleanups` | for each cleanup: `name`, `state`, `began_at_seconds`, `took_seconds`, `remaining_seconds` |
//! | `shutdown` | from the trigger on: `began_unix_seconds`, `began_at_seconds`, `took_seconds`, `budget_seconds`, `ended` (the tasks that have ended in it, with their outcomes), `omitted` (how many of them are left out) |
//!
//! | `instance` | the process: `host`, `pid`, `version` (see [`HttpTaskBuilder::version`]), `started_unix_seconds` |
//! | `events` | what happened, oldest first, as in [`Group::events`](task_core::Group::events): `at_seconds`, `failure`, `text` |
//! | `checks` | for each check: `name`, `probe` (`livez` or `readyz`), `passed` (the last time), `reason` |
//! | `runtime` | of the server's own runtime: `workers`, `tokio_tasks`, `queued` |
//! | `runtimes` | what the heartbeat measures: `name`, `stalled_seconds`, `spawn_delay_seconds`, `stalls` |
//!
//! A field `..._at_seconds`, and that of an event, counts from the creation of the manager.
//!
//! ## The page
//!
//! The first box says what is wrong: in a shutdown, which task or cleanup holds it (inside nested
//! groups by its path), since when, and at which deadline it is aborted; a runtime that is blocked,
//! checks that fail, tasks that are not ready or pause after a failure, and failures of the last
//! ten minutes. Then come the shutdown with its timeline and the deadlines, the tasks that need
//! attention, the others folded by phase, nested groups as a tree, the checks and the runtime, the
//! last events, and the tasks that have ended, by name. At most 1,000 rows are shown; JSON has all.
//!
//! The page needs no script: it then refreshes itself as a whole, every 2 s, or 1 s in a shutdown.
//! With its script, which is a part of it, it replaces its content in place, keeps what is
//! unfolded, filters by name, and when the server is gone keeps its last state: "Gone at 03:12:07
//! UTC while stopping `settlement`". The policy of the response (`Content-Security-Policy`) allows
//! this script alone, and requests to this server alone. `?still` pauses the refresh.
//!
//! ## In Kubernetes
//!
//! The names of the probes are those of Kubernetes' own servers. A pod uses them like this:
//!
//! ```yaml
//! startupProbe:
//!   httpGet: { path: /startupz, port: 9090 }
//!   failureThreshold: 30 # ten seconds apart: five minutes to become ready for the first time
//! livenessProbe:
//!   httpGet: { path: /livez, port: 9090 }
//! readinessProbe:
//!   httpGet: { path: /readyz, port: 9090 }
//!   periodSeconds: 2
//! ```
//!
//! The readiness turns false at the start of a shutdown, and the load balancer needs a moment to
//! notice: give the manager a drain delay of about two periods of the readiness probe. The default
//! is zero, which loses requests at every stop. So a warning in the log advises to set the delay if
//! nobody has, a task of `Phase::INGRESS` is alive when the group is ready for the first time, and
//! the readiness is served beyond loopback. A delay that is set to zero says that it is meant.
//!
//! ## In Docker
//!
//! [`probe`] makes the service's own binary the health check of its container, for images without
//! curl: `HEALTHCHECK CMD ["/service", "probe"]`.
//!
//! ## Endpoints by listener
//!
//! Every listener serves everything, unless [`HttpListener::only`] or [`HttpListener::without`]
//! says otherwise: metrics on one address and probes on another, or the task table on loopback
//! alone. What a listener does not serve is not found there.
//!
//! ## User routes
//!
//! User routes stand beside the endpoints: [`HttpTaskBuilder::route`] for a closure,
//! `HttpTaskBuilder::service` (feature `tower`) for a service such as an axum router. They have the
//! same limits, and end with the same stop.
//!
//! Routes, checks and sources are called as a part of the task: their log events carry its span,
//! and one that waits for the end of its own group is refused
//! (`task_manager::ShutdownError::is_inside`). What they spawn themselves is not.
//!
//! # Access control
//!
//! By default, every client that reaches the address may read everything. [`Access`] requires a
//! token, a password or a network for everything but the probes, and `Tls` (feature `tls`)
//! encrypts. Tokens, passwords and certificates in files are read again when they change.
//!
//! ```no_run
//! use task_http::{Access, HttpTask};
//!
//! # fn main() -> Result<(), task_http::HttpError> {
//! let access = Access::default()
//!     .bearer_file("/etc/orders/metrics-token") // for Prometheus
//!     .basic_file("admin", "/etc/orders/admin-password") // for a browser
//!     .network("10.0.0.0/8"); // and, for both, from inside alone
//! let http = HttpTask::builder().access(access).bind("0.0.0.0:9090")?;
//! # Ok(()) }
//! ```
//!
//! On the other side, this is the scrape configuration of Prometheus:
//!
//! ```yaml
//! scrape_configs:
//!   - job_name: orders
//!     authorization: { credentials_file: /etc/prometheus/orders-token }
//!     static_configs: [{ targets: ["orders:9090"] }]
//! ```
//!
//! # Metrics
//!
//! The built-in families need no registry:
//!
//! | families | about |
//! |---|---|
//! | `task_manager_state{state}`, `task_manager_ready`, `task_manager_started` | the group: its step and its readiness |
//! | `task_manager_shutdown_start_time_seconds`, `task_manager_shutdown_timeout_seconds`, `task_manager_shutdown_remaining_seconds` | the shutdown, from its trigger on; the latter two if it has a time limit |
//! | `task_alive`, `task_starts_total` | all tasks |
//! | `task_running{task}`, `task_exits_total{task,outcome}` | the tasks of a name, also after the last one has ended |
//! | `task_ready{task}`, `task_restarts{task}`, `task_failures{task}`, `task_restart_wait_seconds{task}`, `task_start_time_seconds{task}` | the living tasks of a name |
//! | `task_stopping_seconds{task}` | since when a task that was asked to stop has not ended, of the longest of a name: who holds a stop |
//! | `task_stop_duration_seconds{task}` | in a shutdown, how long the last task of a name took to stop |
//! | `task_cleanups_total{outcome}`, `task_cleanup_duration_seconds{cleanup}` | the cleanups; a server of the group itself ends before they run, and shows zero, unless it goes on [through the cleanups](HttpTask::through_cleanups) |
//! | `task_signals_received_total{signal}` | the signals that tasks have recorded |
//! | `task_http_requests_total{route,code}`, `task_http_request_duration_seconds{route}`, `task_http_connections`, `task_http_connections_rejected_total{reason}`, `task_http_scrapes_in_flight`, `task_http_scrape_errors_total{cause}`, `task_http_reloads_total{what,outcome}` | the server |
//! | `task_health_check_status{probe,check}` | the last result of each check |
//! | `process_*` | the process, as in every Prometheus client library; Linux only |
//! | `tokio_*` | the runtime, as far as the stable API of Tokio goes, and how long it takes to run a spawned task |
//!
//! The label of a name is its first 64 bytes. At most 200 names have series of their own: those of
//! living critical tasks first, then those of tasks that have ended, then those of living ephemeral
//! tasks. The others are summed up as `other`. The prefix `task_` can be
//! [changed](HttpTaskBuilder::metrics_prefix).
//!
//! A [`MetricsSource`] adds the families of the service: a closure that returns a text
//! ([`text_source`], [`openmetrics_source`]), which ties to no version of any crate, or a registry,
//! by a feature. Every source is served in both formats: one that does not write the format that a
//! client asks for is [converted](MetricsSource#conversion), and a malformed line in it costs its
//! family alone.
//!
//! Sources are encoded on a blocking thread, once for all clients that ask at the same time. A
//! source that fails or panics costs a 500, and the next scrape starts over. One that takes too
//! long costs a 503 and is not interrupted: until it returns, the next scrapes in that format wait
//! for the same encoding. A family that two sources have is taken from the first; user sources take
//! precedence over built-in families.
//!
//! A shutdown that is shorter than the interval of the scrapes leaves no trace in these metrics.
//! Its figures can be written to a file when it is over (`Report::write_metrics` of `task-manager`,
//! or `Service::shutdown_metrics` of `task-service`), from which node_exporter serves them, or the
//! next start of the service:
//!
//! ```no_run
//! use task_http::{HttpTask, text_source};
//!
//! # fn main() -> Result<(), task_http::HttpError> {
//! // Before the first shutdown, there is no such file.
//! let last = || std::fs::read_to_string("/var/lib/orders/shutdown.prom").unwrap_or_default();
//! let http = HttpTask::builder().metrics(text_source(last)).bind("0.0.0.0:9090")?;
//! # Ok(()) }
//! ```
//!
//! # Limits
//!
//! Every resource that a client can take has a limit: see [`Limits`]. Idle and slow clients are
//! evicted when there are too many connections, or no file descriptor is left for one more. Scrapes
//! wait for their responses on at most half of the connections, and share nothing else with probes;
//! a client that is slow to read a complete response does not count, and can be evicted. So probes
//! get their responses under any load of scrapes.
//!
//! # Shutdown
//!
//! It is a [support task](task_core::Phase::SUPPORT): it stops after the work, so that the whole
//! shutdown can be observed through it. From the drain on, every response closes its connection.
//! Once cancelled, the task
//!
//! 1. closes its listeners: new connections are refused, and the file of a Unix socket is removed;
//! 2. closes connections without a complete request;
//! 3. lets responses in progress end, for [`Limits::stop_timeout`] or what the shutdown leaves to
//!    the task, if that is less;
//! 4. drops the other connections, and ends.
//!
//! A response that step 4 cuts is named with its method, its path and its time, in a warning of the
//! log and in the task's last status, which the report has. In a phase below
//! [`Phase::SUPPORT`](task_core::Phase::SUPPORT) (`http.in_phase(Phase::INGRESS)`), a response of a
//! user route that is cut is a failure in the report: a service that loses a response is not clean.
//! A probe or a scrape that is cut never is.
//!
//! With [`HttpTask::through_cleanups`], the server does all of this in the last cleanup instead, so
//! that the cleanups can be observed as well.
//!
//! # Limitations
//!
//! - HTTP/1.1 only.
//! - A text that needs no conversion is served as it is, malformed or not.
//! - A source that does not return keeps a thread of the runtime's blocking pool: one for each
//!   format, plain and compressed, so four at most. A check that does not end is aborted with the
//!   task.
//! - If all threads of its runtime are blocked, the server cannot respond, not even at `/livez`.
//!   The probe then times out, which is a failure, too; a plain thread logs an error and counts the
//!   stall. To get a response in this state, run the server on a runtime of its own and
//!   [watch](HttpTaskBuilder::watch_runtime) that of the service. If some threads are
//!   blocked and others still run what is spawned, no stall is reported.
//!
//! # Platforms
//!
//! | what | Linux | macOS, FreeBSD | Windows |
//! |---|---|---|---|
//! | Unix sockets: `bind_unix`, `ListenOptions::mode` | yes | yes | not there at compile time |
//! | `ListenOptions::reuse_port` | yes | yes | not there at compile time |
//! | `process_*` metrics | yes | left out | left out |
//! | tests | all, also on musl and arm64 | type checks | all but one of a thousand clients, under Wine |
//!
//! # Testing
//!
//! A test needs no manager: a [`StageCell`](task_core::scope::StageCell) stands in for it.
//!
//! ```
//! use std::{
//!     io::{Read, Write},
//!     net::TcpStream,
//!     sync::Arc,
//! };
//!
//! use task_core::{
//!     Context, Task,
//!     scope::{Stage, StageCell},
//! };
//! use task_http::HttpTask;
//!
//! # #[tokio::main]
//! # async fn main() -> anyhow::Result<()> {
//! let http = HttpTask::builder().check("database", async || Ok(())).bind("127.0.0.1:0")?;
//! let address = http.local_addr().expect("it listens on TCP");
//! let stage = Arc::new(StageCell::new());
//! let running = tokio::spawn(http.run(Context::new(stage.clone())));
//!
//! let response = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"GET /readyz/database HTTP/1.0\r\n\r\n")?;
//!     let mut response = String::new();
//!     stream.read_to_string(&mut response)?;
//!     Ok(response)
//! });
//! assert!(response.await??.starts_with("HTTP/1.0 200 OK"));
//!
//! stage.advance(Stage::Cancelled);
//! running.await??;
//! # Ok(()) }
//! ```
//!
//! # Log events
//!
//! The events are those of `tracing`. None of them contains a secret, a query or a header of a
//! request.
//!
//! | level | event |
//! |---|---|
//! | error | a runtime has stalled; a connection panicked, for example in the body that a service streams |
//! | warn | a source or a route failed or panicked; lines of a source are malformed; a drain delay is advised; files could not be reloaded; a connection could not be accepted; a runtime runs again after a stall; responses were cut at the stop timeout |
//! | info | an address is served; files were reloaded |
//!
//! # Features
//!
//! Nothing is enabled by default.
//!
//! | feature | adds |
//! |---|---|
//! | `prometheus-client`, `prometheus`, `metrics-exporter-prometheus` | the registry of that crate, in the version that this one names, as a [`MetricsSource`] |
//! | `tls` | `Tls`, by rustls with the provider ring, which takes a C compiler to build |
//! | `tower` | `HttpTaskBuilder::service` |

// Each paragraph is a room. A module imports from its own room and from the rooms below it.

pub mod probe;

mod task;

mod serve;

mod handlers;

mod metrics;

mod health;

mod message;

mod activity;
mod stats;

mod config;

mod single_flight;

pub use config::{Access, Endpoint, Format, HttpError, HttpListener, Limits};
/// The types of requests and responses, for [`HttpTaskBuilder::route`].
pub use http;
pub use message::body::{BodyError, RequestBody};
pub use metrics::{ClosureSource, MetricsSource, openmetrics_source, text_source};
pub use task::{HttpStop, HttpTask, HttpTaskBuilder};
#[cfg(feature = "tls")]
pub use task_listen::Tls;
pub use task_listen::{BindError, BoundAddress, ListenOptions, Listener};

/// The example of the README, built with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
