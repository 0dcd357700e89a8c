//! `/tasks`: the group at this instant, as JSON for programs and as a page for people.

use std::sync::Arc;

use hyper::{HeaderMap, StatusCode};
use task_core::{Group, GroupSnapshot};
use tokio::task::spawn_blocking;

use crate::{
    health::Health,
    message::{
        negotiate::{self, Alternative},
        query::Query,
        reply::Reply,
    },
};

mod json;
mod page;

/// The representation of the group.
#[derive(Clone, Copy)]
enum Representation {
    Json,
    Page { is_still: bool },
}

/// Responds with JSON if the client asks for it, by `?format=json` or by an `Accept` that prefers
/// it, and with the page otherwise.
pub(crate) async fn respond(
    group: &Group,
    health: &Arc<Health>,
    headers: &HeaderMap,
    query: Query<'_>,
) -> Reply {
    let representation = match negotiate::wants_json(headers, query, Alternative::Html) {
        true => Representation::Json,
        false => Representation::Page { is_still: query.has("still") },
    };
    let accepts_gzip = negotiate::accepts_gzip(headers);
    let (group, health) = (group.clone(), Arc::clone(health));
    // Ten thousand tasks take milliseconds to write, which would delay the tasks of this worker.
    let written =
        spawn_blocking(move || write(&health.snapshot_of(&group), representation, accepts_gzip))
            .await;
    // There is no result if the runtime is shutting down.
    written.unwrap_or_else(|_| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "stopping\n"))
}

/// Writes a snapshot of the group, on a blocking thread.
fn write(snapshot: &GroupSnapshot, representation: Representation, accepts_gzip: bool) -> Reply {
    let (text, content_type) = match representation {
        Representation::Json => (json::write(snapshot), "application/json"),
        Representation::Page { is_still } => {
            (page::write(snapshot, is_still), "text/html; charset=utf-8")
        }
    };
    let reply = Reply { content_type: content_type.into(), ..Reply::text(StatusCode::OK, "") };
    reply.negotiated_body(text.into_bytes(), accepts_gzip)
}
