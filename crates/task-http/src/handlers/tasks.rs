//! `/tasks`: the group at this instant, as JSON for programs and as a page for people.

use std::sync::Arc;

use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_SECURITY_POLICY, HeaderValue},
};
use task_core::Group;
use tokio::task::spawn_blocking;

use crate::{
    health::Health,
    message::{
        negotiate::{self, Alternative},
        query::Query,
        reply::Reply,
    },
};

mod instance;
mod json;
mod page;
mod view;

pub(crate) use instance::Instance;
use view::View;

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
    instance: &Arc<Instance>,
    headers: &HeaderMap,
    query: Query<'_>,
) -> Reply {
    let representation = match negotiate::wants_json(headers, query, Alternative::Html) {
        true => Representation::Json,
        false => Representation::Page { is_still: query.has("still") },
    };
    let accepts_gzip = negotiate::accepts_gzip(headers);
    let (group, health, instance) = (group.clone(), Arc::clone(health), Arc::clone(instance));
    // Ten thousand tasks take milliseconds to write, which would delay the tasks of this worker.
    let written = spawn_blocking(move || {
        write(&View::of(&group, &health, &instance), representation, accepts_gzip)
    });
    // There is no result if the runtime is shutting down.
    written.await.unwrap_or_else(|_| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "stopping\n"))
}

/// Writes the view, on a blocking thread.
fn write(view: &View<'_>, representation: Representation, accepts_gzip: bool) -> Reply {
    let reply = Reply::text(StatusCode::OK, "");
    let (text, reply) = match representation {
        Representation::Json => {
            (json::write(view), Reply { content_type: "application/json".into(), ..reply })
        }
        Representation::Page { is_still } => {
            let policy = (CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
            let content_type = "text/html; charset=utf-8".into();
            (page::write(view, is_still), Reply { content_type, headers: vec![policy], ..reply })
        }
    };
    reply.negotiated_body(text.into_bytes(), accepts_gzip)
}
