//! The contract of `task-http`, from outside: a real server on loopback, and clients that speak raw HTTP to it.
//!
//! Tests of time limits run on a paused clock, which moves on only when client and server both wait.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![allow(clippy::print_stderr, reason = "a lane that is skipped says why")]

mod client;
mod group;
mod service;

mod access;
mod adapters;
mod binding;
mod descriptors;
#[cfg(feature = "tls")]
mod encrypted;
mod heartbeat;
mod limits;
mod managed;
mod negotiation;
mod own_metrics;
mod own_routes;
mod parsers;
mod probes;
mod probes_as_json;
mod random;
mod routing;
#[cfg(feature = "tower")]
mod services;
mod sources;
mod stopping;
mod table;
#[cfg(unix)]
mod unix_socket;
