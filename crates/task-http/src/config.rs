//! The settings of a server, and what is loaded from them.
//!
//! [`Access`], [`Limits`] and `Tls` are plain values: their setters return `Self`, and the builder
//! of the task checks them, once. What a check yields is a value that cannot be wrong any more: a
//! [`Gate`] from an `Access`, a `LoadedTls` from a `Tls`.
//!
//! Because of this split, one builder returns one [`HttpError`] for all faults, and files can be
//! read again later: the loaded value keeps the settings that it was made from.

mod access;
mod endpoint;
mod error;
mod format;
pub(crate) mod limits;
mod listener;

pub use access::Access;
pub(crate) use access::gate::{Gate, Refusal};
pub use endpoint::Endpoint;
pub(crate) use endpoint::{Found, Served};
pub use error::HttpError;
pub(crate) use error::HttpErrorKind;
pub use format::Format;
pub use limits::Limits;
pub use listener::HttpListener;
