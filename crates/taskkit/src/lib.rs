#![doc = include_str!("../README.md")]
//!
//! # The pieces
//!
//! `default` is `service`; `full` is everything but the registries, `kafka`, `tls` and `tower`; it
//! needs a C compiler, for `sender` alone.
//!
//! | feature | brings | adds |
//! |---|---|---|
//! | always | `task-core` | [`Task`], [`task_fn`], [`Context`], [`Phase`], [`Group`] |
//! | `manager` | `task-manager` | `Manager`, `TaskHandle`, `Report` |
//! | `signal` | `task-signal` | `SignalTask`, `SignalTrigger` |
//! | `service` | `task-service` | `main`, `Service` |
//! | `periodic` | `task-periodic` | `LoopTask`, `PollTask` |
//! | `http` | `task-http` | `HttpTask` |
//! | `kafka` | `task-kafka`: needs a C and a C++ compiler | `KafkaTask` |
//! | `prometheus-client`, `prometheus`, `metrics-exporter-prometheus` | | those registries as sources of `HttpTask` |
//! | `tls` | a C compiler's work | encryption for `HttpTask` |
//! | `tower` | | services of `tower` below the paths of `HttpTask` |
//! | `cron`, `serde`, `token` | | `CronTask`; `Serialize` for the report; `CancellationToken`s |
//! | `sender` | a C compiler's work | who sent a signal, in the log and the report |

/// The example of the repository's README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub use task_core::*;
#[cfg(feature = "http")]
pub use task_http::{self as http, HttpTask};
#[cfg(feature = "kafka")]
pub use task_kafka::{self as kafka, KafkaTask};
#[cfg(feature = "manager")]
pub use task_manager::*;
#[cfg(feature = "cron")]
pub use task_periodic::CronTask;
#[cfg(feature = "periodic")]
pub use task_periodic::{self as periodic, LoopTask, PollTask};
#[cfg(feature = "service")]
pub use task_service::{self as service, Service, main};
#[cfg(feature = "signal")]
pub use task_signal::{self as signal, Signal, SignalTask, SignalTrigger};
