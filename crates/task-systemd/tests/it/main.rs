//! What the crate promises, with a socket of the test in the place of systemd's. What a real
//! systemd makes of it is shown by `cargo xtask systemd`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod fake;

mod child;
mod listeners;
mod messages;
mod outages;
mod reload;
mod store;
mod unit;
mod watchdog;
