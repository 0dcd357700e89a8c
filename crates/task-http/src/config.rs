//! The settings of a server, each checked where it is made.

mod access;
mod endpoint;
pub(crate) mod error;
mod format;
pub(crate) mod limits;
pub(crate) mod listener;
#[cfg(feature = "tls")]
mod tls;

pub use access::Access;
pub use endpoint::Endpoint;
pub(crate) use endpoint::Found;
#[cfg(feature = "tls")]
pub use error::TlsError;
pub use error::{AccessError, BindError, BodyError, PathError, PrefixError};
pub use format::Format;
pub use limits::Limits;
pub use listener::{BoundAddress, ListenOptions, Listener};
#[cfg(feature = "tls")]
pub use tls::Tls;
