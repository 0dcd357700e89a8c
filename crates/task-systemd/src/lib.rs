//! A service under systemd.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// What a service uses.
mod credential;
mod listeners;
mod notifier;
mod task;
mod unit;

// What the task and its handles share: the machine, and the messages on their way.
mod channel;
mod outbox;
mod protocol;
mod status;

// Messages and values, and what only Linux has.
mod environment;
mod message;
mod platform;

mod error;

pub use credential::credential;
pub use environment::Environment;
pub use error::SystemdError;
pub use listeners::Listeners;
pub use notifier::{Notifier, Reloading};
pub use task::SystemdTask;
pub use unit::Unit;
