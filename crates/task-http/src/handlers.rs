//! The handlers: what is answered at each path.

pub(crate) mod probes;
pub(crate) mod route;
pub(crate) mod routes;
pub(crate) mod scrape;
pub(crate) mod tasks;
#[cfg(feature = "tower")]
pub(crate) mod tower;
