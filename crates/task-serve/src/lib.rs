//! An HTTP server as a task: any `tower` service over HTTP/1.1 and HTTP/2, stopped without losing a
//! request, within the time that the shutdown has, and with a word on each request that was cut.
//!
//! [`ServeTask::bind`] takes an address, [`ServeTask::service`] an axum `Router` or any other
//! [`HttpService`]. For metrics and probes, run an `HttpTask` of `task-http` beside it, on an
//! address of its own, where they never wait for the API.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use task_manager::Manager;
//! use task_serve::ServeTask;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let manager = Manager::new();
//! let api = Router::new().route("/", get(async || "hello"));
//! manager.run(ServeTask::bind("0.0.0.0:8080")?.service(api))?;
//! manager.wait().await?;
//! # Ok(()) }
//! ```
//!
//! # The stop
//!
//! | when | what the server does |
//! |---|---|
//! | the group drains | It accepts and answers as before. Each answer over HTTP/1.1 carries `Connection: close`, and with the next answer over HTTP/2 the client gets a GOAWAY. A connection without a request stays open. |
//! | the task is cancelled | It takes the connections that wait in the queue of each listener, and closes the listener. A connection without a request is closed, once [`Limits::min_keep_alive`] has passed since its last answer. New upgrades are refused with 503. |
//! | requests are in flight | It waits for their answers, and its status names the oldest: `12 in flight, oldest GET /report 3.1 s`. |
//! | 250 ms before the task's deadline, or at [`Limits::stop_timeout`] | It cuts what is left: the handlers are dropped where they await, and the streams of upgraded connections fail. |
//!
//! What was cut is a warning in the log, the last status of the task, and, if there was a request
//! or an upgraded connection among it, a failure in the report: `3 connections cut: 2 SSE /events
//! (40 s), 1 POST /import (12 s)`. The query of a request is never shown. A request is in flight
//! from its complete header on. Its age counts from then, too, or from the first byte of the
//! header, for a request that comes over HTTP/1.1 after the answer to the one before it.
//!
//! So a stop loses nothing if the drain ([`drain_delay`] of the manager) is longer than a client
//! rests between two requests, and than a load balancer takes to see that the service is not ready.
//! Without a drain, requests may be lost. If the delay was left at its default and an address is
//! not local, the log says so at the start.
//!
//! As long as a handler or a connection lives, the task has not ended: no later phase and no
//! cleanup begins beside it. The exception is one that blocks its thread and cannot be dropped. The
//! manager abandons the task at its deadline, then, and names what lives.
//!
//! [`drain_delay`]: https://docs.rs/task-manager/latest/task_manager/struct.ManagerBuilder.html
//!
//! # What handlers see
//!
//! The extensions of a request have the [`Context`](task_core::Context) of the task, for axum by
//! `Extension<Context>`, and the [`ClientAddress`]. A handler with an answer that has no end should
//! end it at the stop: [`until_stop`] does that to a stream. The task of an upgraded connection (a
//! WebSocket) should wait for `cancelled`, and then say good-bye. It should not do so at
//! `draining`: its client would connect again, perhaps to the same server.
//!
//! What handlers spawn is theirs, unless it keeps a [`Hold`](task_core::Hold) of the context. A
//! handler is dropped when its client goes, unless [`ServeTask::finish_handlers`] says otherwise.
//!
//! # Limits
//!
//! Each count and each time has a finite default; see [`Limits`]. A handler has no time limit of
//! its own, and an upgraded connection none but the stop. HTTP/2 has no upgrades here, and no
//! server push. A client of HTTP/2 is asked for a sign of life every 20 s, and closed without one
//! after further 20 s.
//!
//! A connection is evicted for a new one only while it has no request. Where the process has no
//! file descriptors left, the group is not ready until it has: accepts are tried again after 50 ms
//! to 1 s, and a warning is logged once in 10 s.
//!
//! # Log events
//!
//! | level | event |
//! |---|---|
//! | error | a service panicked or returned an error; a connection panicked, for example in a body |
//! | warn | connections were cut at the stop; a connection could not be accepted; files of TLS could not be reloaded; a drain delay is advised |
//! | info | an address is served; files of TLS were reloaded |
//!
//! # Features
//!
//! Nothing is enabled by default. `tls` adds `ServeTask::tls`, by rustls with the provider ring,
//! which takes a C compiler to build.
//!
//! # Platforms
//!
//! | what | Linux, macOS, FreeBSD | Windows |
//! |---|---|---|
//! | Unix sockets: `bind_unix`, `ListenOptions::mode` | yes | not there at compile time |
//! | `ListenOptions::reuse_port` | yes | not there at compile time |

// Each paragraph is a room. A module imports from its own room and from the rooms below it.

mod task;

mod run;

mod connection;

mod answering;
mod service;

mod body;
mod until_stop;

mod exchange;
mod link;
mod shared;

mod spawned;

mod cut;
mod error;
mod limits;
mod stats;

pub use body::{BodyError, RequestBody};
pub use error::ServeError;
pub use limits::Limits;
pub use service::{ClientAddress, HttpService};
pub use stats::ServeStats;
pub use task::ServeTask;
#[cfg(feature = "tls")]
pub use task_listen::Tls;
pub use task_listen::{BindError, BoundAddress, ListenOptions, Listener};
pub use until_stop::{UntilStop, until_stop};

/// The types of requests and responses, for services.
pub use http;

/// The example of the README, built with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
