//! The contract of `task-serve`: a real server on loopback under a real manager, and clients that
//! speak raw HTTP to it.
//!
//! Tests of timeouts run on a paused clock, which advances when client and server both wait.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
#[cfg(feature = "tls")]
#[allow(dead_code, reason = "shared with the tests of `task-http`")]
#[path = "../../../task-http/tests/it/authority.rs"]
mod authority;
#[allow(dead_code, reason = "shared with the tests of `task-http`")]
#[path = "../../../task-http/tests/it/client.rs"]
mod client;
mod server;
#[path = "../../../task-http/tests/it/sweep.rs"]
mod sweep;

mod answers;
mod blocked;
mod counted;
#[cfg(target_os = "linux")]
mod descriptors;
mod draining;
#[cfg(feature = "tls")]
mod encrypted;
mod endless;
mod everywhere;
mod http2;
mod limits;
mod metrics;
mod services;
mod upgrades;
