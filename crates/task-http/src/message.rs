//! Requests and responses: their bodies, the negotiation of formats, and the encodings of text.
//!
//! Nothing here knows which endpoint a message is for. hyper parses requests and writes responses;
//! what is left is what hyper does not do: limits for bodies, header fields that all responses
//! have, `Accept` and `Accept-Encoding`, the query, and escapes.

pub(crate) mod body;
pub(crate) mod escape;
pub(crate) mod gzip;
pub(crate) mod negotiate;
pub(crate) mod query;
pub(crate) mod reply;
