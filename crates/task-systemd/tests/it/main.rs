//! What the crate promises, with a socket of the test in the place of systemd's. What a real
//! systemd makes of it is shown by `cargo xtask systemd`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../../../task-core/tests/it/a_watchdog.rs"]
mod a_watchdog;
mod fake;

mod child;
mod listeners;
mod messages;
mod outages;
mod reload;
mod store;
mod unit;
mod watchdog;
