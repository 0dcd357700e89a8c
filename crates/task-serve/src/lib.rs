//! An HTTP server as a task: any `tower` service over HTTP/1.1 and HTTP/2, stopped without losing a
//! request, within the time that the shutdown has, and with a word on each request that was cut.

// Each paragraph is a room. A module imports from its own room and from the rooms below it.

mod task;

mod run;

mod connection;

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
