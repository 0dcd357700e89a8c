//! The contract of children, seen from the task, its manager and the children themselves.
#![allow(clippy::unwrap_used)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod blocked;
mod ends;
mod everywhere;
mod failures;
mod places;
mod properties;
mod results;
mod rig;
mod scope;
mod stopping;
mod within;
