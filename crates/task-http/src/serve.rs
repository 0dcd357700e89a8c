//! The running server: from bound listeners to the last closed connection.

pub(crate) mod accept;
pub(crate) mod connection;
pub(crate) mod connections;
#[cfg(feature = "tls")]
pub(crate) mod handshake;
pub(crate) mod server;
