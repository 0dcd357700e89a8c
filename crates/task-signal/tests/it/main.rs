//! What the signal tasks promise, one child process per scenario, driven from outside with real
//! signals.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod child;
mod group;
mod scenario;

mod admission;
mod after_end;
mod default_action;
mod delivery;
mod dump;
mod first_process;
mod inherited;
mod instants;
mod ladder;
mod leaks;
mod managed;
mod neighbours;
mod stuck;
mod trigger;
#[path = "../../../task-core/tests/it/undisturbed.rs"]
mod undisturbed;
mod validation;
