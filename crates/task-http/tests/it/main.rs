//! The contract of `task-http`: a real server on loopback, and clients that speak raw HTTP to it.
//!
//! Tests of timeouts run on a paused clock, which advances when client and server both wait.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a skipped test prints the reason")]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;

#[cfg(feature = "tls")]
mod authority;
mod client;
mod group;
mod service;
mod sweep;

mod access;
mod adapters;
mod advice;
mod binding;
mod built_in_families;
mod checks;
mod conversion;
mod cut;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(feature = "tls")]
mod encrypted;
mod everywhere;
mod expositions;
mod heartbeat;
mod limits;
mod listeners;
mod managed;
mod negotiation;
mod parsers;
mod probes;
mod probes_as_json;
mod random;
mod routing;
mod self_probe;
#[cfg(feature = "tower")]
mod services;
mod sources;
mod stopping;
mod table;
mod through_cleanups;
#[cfg(unix)]
mod unix_socket;
mod user_routes;
