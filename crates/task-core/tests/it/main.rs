//! The contract of task-core, one test per sentence. What needs a manager is tested in
//! task-manager.
#![allow(clippy::unwrap_used)]

mod a_watchdog;
mod any_error;
mod backoff;
mod blocking;
mod bounded;
mod channel;
mod context;
mod disturbed;
#[cfg(feature = "time")]
mod finish;
mod group;
mod inside;
mod level;
mod message;
mod owned;
mod panics;
mod properties;
mod pulse;
mod scope;
mod text;
mod undisturbed;
mod values;
