//! The contract of the entry point. Each scenario runs in a child process: this test binary, with
//! the scenario in a variable.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
#[cfg(feature = "kubernetes")]
mod checks;
mod child;
mod exits;
#[cfg(feature = "kubernetes")]
mod goldens;
mod leftovers;
#[cfg(feature = "kubernetes")]
mod manifests;
mod messages;
mod platforms;
mod scenario;
mod signals;
mod starts;
mod stuck;
#[path = "../../../task-core/tests/it/undisturbed.rs"]
mod undisturbed;
