#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! The root has what the `main` of a service names. The rest is in one module per crate:
//!
//! | feature | module | crate | at the root |
//! |---|---|---|---|
//! | always | [`core`] | `task-core` | [`Task`], [`task_fn`], [`blocking_task`], [`BoxTask`], [`Context`], [`Cancelled`], [`Phase`], [`Outcome`], [`any_error`] |
//! | `manager` | `manager` | `task-manager` | `Manager`, `Report`, `ShutdownError` |
//! | `service`, the default | `service` | `task-service` | `main`, `Service` |
//! | `signal` | `signal` | `task-signal` | `SignalTask`, `SignalTrigger` |
//! | `periodic` | `periodic` | `task-periodic` | `LoopTask`, `PollTask`; `CronTask` with `cron` |
//! | `restart` | `restart` | `task-restart` | `restarting` |
//! | `http` | `http` | `task-http` | `HttpTask` |
//! | `kafka` | `kafka` | `task-kafka` | `KafkaTask` |
//!
//! So a test kit imports `taskkit::core::scope::StageCell`, and a setup with several exit codes
//! `taskkit::service::ExitCodes`.
//!
//! # Features
//!
//! | feature | adds | compiles |
//! |---|---|---|
//! | `service` | the entry point, with `manager` and `signal` | |
//! | `cron` | cron schedules, with `periodic` | |
//! | `serde` | `Serialize` for the report | |
//! | `token` | `tokio_util`'s `CancellationToken` from a context and for a manager | |
//! | `sender` | the pid of a signal's sender, in the log and the report | C |
//! | `full` | `cron`, `http`, `periodic`, `restart`, `sender`, `serde`, `service`, `token` | C |
//! | `tls` | encryption for `HttpTask` | C |
//! | `tower` | services of `tower` below the paths of `HttpTask` | |
//! | `prometheus-client`, `prometheus`, `metrics-exporter-prometheus` | these registries as sources of `HttpTask` | |
//! | `kafka` | `KafkaTask`, on librdkafka | C and C++ |

/// The example of the repository's README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub use task_core as core;
#[cfg(feature = "http")]
pub use task_http as http;
#[cfg(feature = "kafka")]
pub use task_kafka as kafka;
#[cfg(feature = "manager")]
pub use task_manager as manager;
#[cfg(feature = "periodic")]
pub use task_periodic as periodic;
#[cfg(feature = "restart")]
pub use task_restart as restart;
#[cfg(feature = "service")]
pub use task_service as service;
#[cfg(feature = "signal")]
pub use task_signal as signal;

pub use task_core::{
    BoxTask, Cancelled, Context, Outcome, Phase, Task, any_error, blocking_task, task_fn,
};
#[cfg(feature = "http")]
pub use task_http::HttpTask;
#[cfg(feature = "kafka")]
pub use task_kafka::KafkaTask;
#[cfg(feature = "manager")]
pub use task_manager::{Manager, Report, ShutdownError, start_after};
#[cfg(feature = "cron")]
pub use task_periodic::CronTask;
#[cfg(feature = "periodic")]
pub use task_periodic::{LoopTask, PollTask};
#[cfg(feature = "restart")]
pub use task_restart::restarting;
#[cfg(feature = "service")]
pub use task_service::{Service, main};
#[cfg(feature = "signal")]
pub use task_signal::{SignalTask, SignalTrigger};
