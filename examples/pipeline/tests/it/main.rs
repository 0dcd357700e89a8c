//! Tests of the database, of the service whenever it is stopped, and of the service as a process.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, unreachable_pub)]

mod database;
mod ends;
mod everywhere;
mod service;
