//! `/tasks`: the group at this instant, as JSON for programs and as a page for people.

use hyper::{HeaderMap, StatusCode};
use task_core::Group;
use tokio::task::spawn_blocking;

use crate::{
    message::{gzip::gzip, negotiate, query::Query, reply::Reply},
    serve::server::Server,
    stats::{ScrapeProblem, Scraping},
};

mod json;
mod page;

/// How the group is shown.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Page { is_still: bool },
}

/// Answers with JSON if it is asked for, by `?format=json` or by an `Accept` that prefers it, and with the page
/// otherwise.
pub(crate) async fn answer(server: &Server, headers: &HeaderMap, query: Query<'_>) -> Reply {
    // As much work as a scrape, and bounded together with those.
    let Some(_scraping) = Scraping::begin(&server.stats, server.limits.scrapes_at_once()) else {
        server.stats.problem(ScrapeProblem::Limit, 1);
        return Reply::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once\n");
    };
    let page = Form::Page { is_still: query.has("still") };
    let form = match query.value("format").as_deref() {
        Some("json") => Form::Json,
        Some("html") => page,
        _ if negotiate::prefers_json(headers, "html") => Form::Json,
        _ => page,
    };
    let wants_gzip = negotiate::accepts_gzip(headers);
    let group = server.group.clone();
    // Ten thousand tasks are milliseconds of work, which no other task should wait for.
    let written = spawn_blocking(move || write(&group, form, wants_gzip)).await;
    // Without a result: the runtime is going away.
    written.unwrap_or_else(|_| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "stopping\n"))
}

fn write(group: &Group, form: Form, wants_gzip: bool) -> Reply {
    let snapshot = group.snapshot();
    let (text, content_type) = match form {
        Form::Json => (json::write(&snapshot), "application/json"),
        Form::Page { is_still } => (page::write(&snapshot, is_still), "text/html; charset=utf-8"),
    };
    let plain = text.into_bytes();
    let (body, is_gzip) = if wants_gzip { gzip(plain) } else { (plain, false) };
    Reply {
        content_type: content_type.into(),
        is_gzip,
        vary: Some("Accept, Accept-Encoding"),
        ..Reply::text(StatusCode::OK, body)
    }
}
