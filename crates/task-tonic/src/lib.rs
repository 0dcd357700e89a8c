#![doc = include_str!("../README.md")]
//!
//! # What it answers
//!
//! | the group | `Check` | `Watch` |
//! |---|---|---|
//! | is not ready yet, or not ready again | `NOT_SERVING` | a message at each change |
//! | is ready | `SERVING` | the same |
//! | drains | `NOT_SERVING` | `NOT_SERVING`, and the stream stays open |
//! | stops | `NOT_SERVING` | the stream ends, with status OK |
//!
//! The name of the request is that of a service, or empty for the whole server. A service that was
//! named is serving if the group is ready and nothing else was [set](GroupHealth::set_serving) for
//! it. `Check` answers `NOT_FOUND` for any other name; `Watch` sends `SERVICE_UNKNOWN` and goes on,
//! as the protocol has it.
//!
//! # At the stop
//!
//! A health client keeps its `Watch` open for as long as it is connected, and a graceful stop waits
//! for open streams. So the streams end when the group begins to stop, which is when a server in
//! [`Phase::INGRESS`](task_core::Phase::INGRESS) does. They do not end with the drain: a client
//! calls again at once, and in the drain it would find the same server.
//!
//! If the task of the server is stopped and its group is not, nothing ends the streams. Then the
//! server cuts them at its deadline.
//!
//! # What a client sees
//!
//! Nothing is lost when a server is replaced by another one and drains for long enough. But where a
//! GOAWAY arrives just as a call is made, tonic's own client fails that call without having sent
//! it, as [`Cancelled`](tonic::Code::Cancelled) or [`Unknown`](tonic::Code::Unknown) with an error
//! of the transport as its source. No server can prevent that. Other clients of gRPC make such a
//! call again by themselves; with tonic's, the caller has to.
//!
//! # Limits
//!
//! Each stream wakes up at every change of the group, such as a task that starts, and sends a
//! message only if the answer is another one. Changes that follow each other faster than a client
//! reads are seen as one. The number of streams is limited by the server alone.
//!
//! # Platforms
//!
//! The same on every system.

mod health;

pub use health::GroupHealth;
