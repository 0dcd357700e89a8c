//! `/`: the list of endpoints and user routes.

use std::fmt::Write;

use hyper::StatusCode;

use crate::{handlers::routes::Routes, message::reply::Reply};

/// Responds with one line for each path.
pub(crate) fn respond(routes: &Routes) -> Reply {
    let mut list = String::new();
    for (path, endpoint) in routes.endpoints() {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{path:12} {}", endpoint.purpose());
    }
    for route in &routes.user {
        let _ = writeln!(list, "{:12} a route of this service", route.path);
    }
    Reply::text(StatusCode::OK, list)
}
