//! Tests of the health service: its answers, and behind a server that stops.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod answers;
mod server;
