//! Requests and responses: their bodies, the negotiation of formats, and the encodings of text.

pub(crate) mod body;
pub(crate) mod escape;
pub(crate) mod gzip;
pub(crate) mod negotiate;
pub(crate) mod query;
pub(crate) mod reply;
