//! The contract of task-core, a test per sentence. What is about managed tasks is tested with the
//! manager.
#![allow(clippy::unwrap_used)]

mod blocking;
mod bounded;
mod context;
mod group;
mod level;
mod properties;
mod scope;
mod words;
