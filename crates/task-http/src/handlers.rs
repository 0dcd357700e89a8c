//! The handlers: the responses of each endpoint, and the user routes.
//!
//! A handler takes what it uses (the group, the health, the limits, ...) and knows nothing of the
//! connection or of the server. The router of `serve` calls it after access control.
//!
//! | path | handler | takes |
//! |---|---|---|
//! | `/` | [`index`] | the routes |
//! | `/metrics` | [`scrape`] | the sources, the built-in families, the limits |
//! | `/livez`, `/readyz`, `/startupz` | [`probes`] | the health, the group, the limits |
//! | `/tasks` | [`tasks`] | the group |
//! | user routes | [`route`], `tower` | the request |
//!
//! Work that may take long does not run on the workers of the runtime: sources are encoded, and
//! snapshots are written, on blocking threads.

pub(crate) mod index;
pub(crate) mod probes;
pub(crate) mod route;
pub(crate) mod routes;
pub(crate) mod scrape;
pub(crate) mod tasks;
#[cfg(feature = "tower")]
pub(crate) mod tower;
