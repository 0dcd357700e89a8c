//! The bodies of requests and of answers.

mod request;
mod response;

pub use request::{BodyError, RequestBody};
pub(crate) use response::ResponseBody;
