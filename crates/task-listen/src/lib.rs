//! Listeners, and the layer between a listener and HTTP: what `task-http` and `task-serve` share.
//!
//! A service uses a small part of it, by way of those crates: [`ListenOptions`] bind a
//! [`Listener`], or one of the standard library becomes a [`Listener`]; `Tls` (feature `tls`) names
//! the files of a certificate. The rest is for those who write a task that serves a protocol of
//! their own:
//!
//! | to | use |
//! |---|---|
//! | accept connections, with a back-off where the system refuses them | [`Acceptor`] |
//! | encrypt them, with files that are read again when they change | `LoadedTls`, [`reload`] |
//! | bound their number, and close the least useful one for a new one | [`Slots`] |
//! | see what passes through a connection | [`ObservedIo`] |
//! | run a connection as a part of its task, and survive its panics | [`in_task`], [`catch_panic`] |
//! | say in the log that a stop may lose requests | [`advise_to_drain`] |
//!
//! # Limits
//!
//! The back-off of an [`Acceptor`] is 1 s at most, its log line comes once in 10 s. Files have
//! 64 KiB at most.
//!
//! # Platforms
//!
//! | what | Linux, macOS, FreeBSD | Windows |
//! |---|---|---|
//! | Unix sockets: `bind_unix`, `ListenOptions::mode` | yes | not there at compile time |
//! | `ListenOptions::reuse_port` | yes | not there at compile time |
//!
//! # Features
//!
//! Nothing is enabled by default. `tls` adds `Tls` and `LoadedTls`, by rustls with the provider
//! ring, which takes a C compiler to build.

// Each paragraph is a room. A module imports from its own room and from the rooms below it.

mod advice;

#[cfg(feature = "tls")]
mod tls;

mod accept;
mod observed;
mod slots;

pub mod reload;

mod listener;

mod catch_panic;
mod error;
mod in_task;

pub use accept::{AcceptEvents, Acceptor, Peer, Stream};
pub use advice::advise_to_drain;
pub use catch_panic::catch_panic;
pub use error::BindError;
#[cfg(feature = "tls")]
pub use error::TlsError;
pub use in_task::{call_in_task, in_task};
pub use listener::{BoundAddress, ListenOptions, Listener};
pub use observed::{Direction, IoEvents, ObservedIo};
pub use slots::{Occupant, Slot, Slots};
#[cfg(feature = "tls")]
pub use tls::{LoadedTls, Tls};

/// The example of the README, built with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
