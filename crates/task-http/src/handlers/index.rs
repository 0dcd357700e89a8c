//! `/`: the list of endpoints and user routes.

use std::fmt::Write;

use hyper::StatusCode;

use crate::{config::Served, handlers::routes::Routes, message::reply::Reply};

/// Responds with one line for each path that is served.
pub(crate) fn respond(routes: &Routes, served: Served) -> Reply {
    let mut list = String::new();
    for (path, endpoint) in routes.endpoints().filter(|(_, endpoint)| served.has(*endpoint)) {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{path:12} {}", endpoint.purpose());
    }
    for route in routes.user.iter().filter(|_| served.has_routes()) {
        let _ = writeln!(list, "{:12} a route of this service", route.path);
    }
    Reply::text(StatusCode::OK, list)
}
