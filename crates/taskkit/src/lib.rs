#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! The root has what the `main` of a service names. The rest is in one module per crate:
//!
//! | feature | module | crate | at the root |
//! |---|---|---|---|
//! | always | [`core`] | `task-core` | [`Task`], [`task_fn`], [`blocking_task`], [`BoxTask`], [`Context`], [`Cancelled`], [`Phase`], [`Outcome`], [`any_error`] |
//! | `children` | `children` | `task-children` | `Children` |
//! | `manager` | `manager` | `task-manager` | `Manager`, `Report`, `ShutdownError` |
//! | `service`, the default | `service` | `task-service` | `main`, `Service` |
//! | `signal` | `signal` | `task-signal` | `SignalTask`, `SignalTrigger` |
//! | `periodic` | `periodic` | `task-periodic` | `LoopTask`, `PollTask`; `CronTask` with `cron` |
//! | `restart` | `restart` | `task-restart` | `restarting` |
//! | `leader` | `leader` | `task-leader` | `leading` |
//! | `http` | `http` | `task-http` | `HttpTask` |
//! | `serve` | `serve` | `task-serve` | `ServeTask` |
//! | `kafka` | `kafka` | `task-kafka` | `KafkaTask` |
//! | `listen` | `listen` | `task-listen` | |
//! | `systemd` | `systemd` | `task-systemd` | |
//! | `tonic` | `tonic` | `task-tonic` | |
//!
//! Tests use the crate `task-testkit`, a dev-dependency.
//!
//! So a test kit imports `taskkit::core::scope::StageCell`, and a setup with several exit codes
//! `taskkit::service::ExitCodes`.
//!
//! # Looking for ...
//!
//! | | see |
//! |---|---|
//! | an HTTP API: axum, a `tower` service, WebSockets, server-sent events | `ServeTask` |
//! | axum, tonic, kube-rs, actix: their graceful shutdown | [`porting`](porting#frameworks), [`Context::cancelled_owned`], [`Context::finish_within`] |
//! | an accept loop, a task per connection | [`Children`], [`porting`](porting#which-kind-for-a-connection) |
//! | a worker pool, a fan-out with results, a limit of concurrency | [`Children`] |
//! | `CancellationToken`, `TaskTracker`, `JoinSet`, tokio-graceful-shutdown | [`porting`] |
//! | spawn a task later, from a task | [`Manager::handle`](Manager::handle), [`Manager::run_ephemeral`] |
//! | restart, supervise | [`restarting`], [`restart`] |
//! | retry with back-off | [`restarting`] for a task; [`LoopTask`] and [`PollTask`] for a round of work |
//! | interval, ticker, schedule, cron | [`PollTask`], [`LoopTask`], [`CronTask`] |
//! | a queue worker | [`LoopTask`], or a loop around [`Context::or_cancelled`] |
//! | drain a queue before the end | [`Context::ready_or_cancelled`] |
//! | Ctrl-C, SIGTERM | [`main`], [`SignalTask`] |
//! | SIGHUP, reload the configuration | [`SignalTrigger`] |
//! | health check, readiness, liveness, Prometheus | [`HttpTask`], [`Task::gating_readiness`] |
//! | gRPC's health service | `tonic::GroupHealth` |
//! | start one task after another is ready | [`start_after`] |
//! | the order of the shutdown | [`Phase`], [`Task::in_phase`] |
//! | close the database at the end | [`Manager::cleanup`] |
//! | shutdown timeout, drain delay | [`manager::ManagerBuilder`] |
//! | Kubernetes, Cloud Run, Nomad, Fly.io, ECS, Docker: their signals and times | [`service::Platform`] |
//! | a manifest whose numbers fit, or what is wrong with one, with feature `kubernetes` | `Service::manifest` |
//! | `kubectl describe` that says why | [`Service::termination_log`] |
//! | blocking code, a thread, a future that is not `Send` | [`blocking_task`] |
//! | an error type of the service, `Box<dyn Error>`, `eyre`; E0277 | [`any_error`] |
//! | exit codes | [`service::ExitCodes`], [`Service::unasked_end_fails`] |
//! | systemd: readiness, watchdog, reload, sockets, a unit | [`systemd`] |
//! | `#[tokio::main]`, a runtime that is there already | [`Manager::wait`] |
//! | a command that ends by itself | [`Manager::run_ephemeral`]: the service ends when all work is done |
//! | one of N replicas, leader election, a lease, a fence | [`leading`], [`leader`] |
//! | a group in a group | [`Manager::into_task`] |
//! | unit tests, the paused clock | [`core`], section *Testing a task* |
//!
//! # Platforms
//!
//! Linux, macOS, FreeBSD and Windows. What differs stands in the documentation of each crate, under
//! "Platforms"; for signals and consoles see `task-signal`, for launchd and Windows services
//! `task-service`.
//!
//! # Features
//!
//! | feature | adds | compiles |
//! |---|---|---|
//! | `service` | the entry point, with `manager` and `signal` | |
//! | `cron` | cron schedules, with `periodic` | |
//! | `serde` | `Serialize` for the report | |
//! | `token` | `tokio_util`'s `CancellationToken` from a context and for a manager | |
//! | `suspend` | `core::FuseInstant` counts the time in which a Linux machine sleeps | |
//! | `sender` | the pid of a signal's sender, in the log and the report | C |
//! | `full` | `children`, `cron`, `http`, `kubernetes`, `leader`, `periodic`, `restart`, `sender`, `serde`, `serve`, `service`, `systemd`, `token` | C |
//! | `tls` | encryption for `HttpTask` and `ServeTask`, where their features are on | C |
//! | `tonic` | gRPC's health service, answered from the group's readiness | |
//! | `tower` | services of `tower` below the paths of `HttpTask` | |
//! | `prometheus-client`, `prometheus`, `metrics-exporter-prometheus` | these registries as sources of `HttpTask` | |
//! | `postgres` | `leader::RowLock`, with `leader`; needs Rust 1.94 | |
//! | `kafka` | `KafkaTask`, on librdkafka | C and C++ |

#[cfg(any(doc, doctest))]
pub mod porting;

/// The example of the repository's README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(feature = "children")]
pub use task_children as children;
pub use task_core as core;
#[cfg(feature = "http")]
pub use task_http as http;
#[cfg(feature = "kafka")]
pub use task_kafka as kafka;
#[cfg(feature = "leader")]
pub use task_leader as leader;
#[cfg(feature = "listen")]
pub use task_listen as listen;
#[cfg(feature = "manager")]
pub use task_manager as manager;
#[cfg(feature = "periodic")]
pub use task_periodic as periodic;
#[cfg(feature = "restart")]
pub use task_restart as restart;
#[cfg(feature = "serve")]
pub use task_serve as serve;
#[cfg(feature = "service")]
pub use task_service as service;
#[cfg(feature = "signal")]
pub use task_signal as signal;
#[cfg(feature = "systemd")]
pub use task_systemd as systemd;
#[cfg(feature = "tonic")]
pub use task_tonic as tonic;

#[cfg(feature = "children")]
pub use task_children::Children;
pub use task_core::{
    BoxTask, Cancelled, Context, Outcome, Phase, Task, any_error, blocking_task, task_fn,
};
#[cfg(feature = "http")]
pub use task_http::HttpTask;
#[cfg(feature = "kafka")]
pub use task_kafka::KafkaTask;
#[cfg(feature = "leader")]
pub use task_leader::leading;
#[cfg(feature = "manager")]
pub use task_manager::{Manager, Report, ShutdownError, start_after};
#[cfg(feature = "cron")]
pub use task_periodic::CronTask;
#[cfg(feature = "periodic")]
pub use task_periodic::{LoopTask, PollTask};
#[cfg(feature = "restart")]
pub use task_restart::restarting;
#[cfg(feature = "serve")]
pub use task_serve::ServeTask;
#[cfg(feature = "service")]
pub use task_service::{Service, main};
#[cfg(feature = "signal")]
pub use task_signal::{SignalTask, SignalTrigger};
