//! The contract of task-core, one test per sentence. What needs a manager is tested in
//! task-manager.
#![allow(clippy::unwrap_used)]

mod a_watchdog;
mod backoff;
mod blocking;
mod bounded;
mod context;
mod group;
mod inside;
mod level;
mod panics;
mod properties;
mod scope;
mod text;
mod values;
