//! The handlers: the responses of each endpoint, and the user routes.
//!
//! A handler takes what it uses (the group, the health, the limits, ...) and knows nothing of the
//! connection or of the server. The router of `serve` calls it after access control.

pub(crate) mod index;
pub(crate) mod probes;
pub(crate) mod route;
pub(crate) mod routes;
pub(crate) mod scrape;
pub(crate) mod tasks;
#[cfg(feature = "tower")]
pub(crate) mod tower;
