//! `/tasks`: the group at this instant, as JSON for programs and as a page for people.

use hyper::{HeaderMap, StatusCode};

use crate::{
    gzip::gzip, negotiate, query::Query, reply::Reply, scrape::Scraping, server::Server,
    stats::ScrapeProblem,
};

mod json;
mod page;

/// Answers with JSON if it is asked for, by `?format=json` or by an `Accept` that prefers it, and with the page
/// otherwise.
pub(crate) fn answer(server: &Server, headers: &HeaderMap, query: Query<'_>) -> Reply {
    // As much work as a scrape, and bounded together with those.
    let Some(_scraping) = Scraping::begin(&server.stats, server.limits.scrapes) else {
        server.stats.problem(ScrapeProblem::Limit, 1);
        return Reply::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once\n");
    };
    let snapshot = server.group.snapshot();
    let is_json = match query.value("format").as_deref() {
        Some("json") => true,
        Some("html") => false,
        _ => negotiate::prefers_json(headers),
    };
    let (text, content_type) = if is_json {
        (json::write(&snapshot), "application/json")
    } else {
        (page::write(&snapshot, query.has("still")), "text/html; charset=utf-8")
    };
    let plain = text.into_bytes();
    let (body, is_gzip) =
        if negotiate::accepts_gzip(headers) { gzip(plain) } else { (plain, false) };
    Reply {
        status: StatusCode::OK,
        content_type: content_type.into(),
        body: body.into(),
        is_gzip,
        vary: Some("Accept, Accept-Encoding"),
    }
}
