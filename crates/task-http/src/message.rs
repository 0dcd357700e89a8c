//! Requests and responses: bodies, replies, content negotiation, and text encodings.

pub(crate) mod body;
pub(crate) mod escape;
pub(crate) mod gzip;
pub(crate) mod negotiate;
pub(crate) mod query;
pub(crate) mod reply;
