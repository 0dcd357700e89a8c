//! Content negotiation by `Accept` and `Accept-Encoding`.
//!
//! The negotiation is lenient: a header that is malformed counts as absent, and no client is ever
//! refused. At worst, a response has a format that was not asked for, under its true content type.

use hyper::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING, HeaderName},
};

use crate::{config::Format, message::query::Query};

mod list;
use list::{Item, items};

/// The format of the response to a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) format: Format,
    /// The escaping of names outside of the classic alphabet, if the client asked for one. It is
    /// repeated in the response.
    pub(crate) escaping: Option<&'static str>,
}

/// Chooses the format with the highest quality, then the most specific, then the first. Without a
/// match it is the text format.
pub(crate) fn format(headers: &HeaderMap) -> Negotiated {
    let accept = joined(headers, &ACCEPT);
    let mut best: Option<((u16, u8), Negotiated)> = None;
    for item in items(&accept) {
        let Some((specificity, candidate)) = metrics_candidate(&item) else { continue };
        let rank = (item.quality, specificity);
        if item.quality > 0 && best.is_none_or(|(best, _)| rank > best) {
            best = Some((rank, candidate));
        }
    }
    best.map_or(Negotiated { format: Format::Text, escaping: None }, |(_, negotiated)| negotiated)
}

/// Returns the format that an item asks for, with its specificity (a media type is 2, a range of a
/// type is 1, any type is 0); `None` if the item is about neither format.
fn metrics_candidate(item: &Item<'_>) -> Option<(u8, Negotiated)> {
    let version = item.parameter("version");
    let (specificity, format) = match item.value.to_ascii_lowercase().as_str() {
        "application/openmetrics-text" if matches!(version, None | Some("1.0.0" | "1.0")) => {
            (2, Format::OpenMetrics)
        }
        "text/plain" if matches!(version, None | Some("0.0.4")) => (2, Format::Text),
        "application/*" => (1, Format::OpenMetrics),
        "text/*" => (1, Format::Text),
        "*/*" | "*" => (0, Format::Text),
        _ => return None,
    };
    let known = ["allow-utf-8", "underscores", "dots", "values"];
    let escaping = item
        .parameter("escaping")
        .and_then(|asked| known.into_iter().find(|known| known.eq_ignore_ascii_case(asked)))
        // The text format has this parameter from version 1.0.0 on, which is not offered.
        .filter(|_| format == Format::OpenMetrics);
    Some((specificity, Negotiated { format, escaping }))
}

/// The alternative to JSON at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alternative {
    Text,
    Html,
}

/// Returns whether the client wants JSON: by `?format=json`, or by an `Accept` that prefers it to
/// the alternative. `?format=text` or `?format=html` asks for the alternative, whatever `Accept`
/// is.
pub(crate) fn wants_json(headers: &HeaderMap, query: Query<'_>, alternative: Alternative) -> bool {
    let (format, media_type) = match alternative {
        Alternative::Text => ("text", "text/plain"),
        Alternative::Html => ("html", "text/html"),
    };
    match query.value("format").as_deref() {
        Some("json") => true,
        Some(asked) if asked == format => false,
        // An unknown format counts as absent.
        Some(_) | None => prefers_json(headers, media_type),
    }
}

/// Compares the qualities of JSON and of the alternative, each by the most specific item about it.
/// JSON must be strictly higher, so `*/*` means the alternative.
fn prefers_json(headers: &HeaderMap, alternative: &str) -> bool {
    let accept = joined(headers, &ACCEPT);
    let quality = |media_type: &str, range: &str| {
        let listed = |known: &str| {
            items(&accept)
                .filter(|item| item.value.eq_ignore_ascii_case(known))
                .map(|item| item.quality)
                .max()
        };
        listed(media_type).or_else(|| listed(range)).or_else(|| listed("*/*")).unwrap_or(0)
    };
    quality("application/json", "application/*") > quality(alternative, "text/*")
}

/// Returns whether the client accepts gzip, and does not prefer the plain body.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accept = joined(headers, &ACCEPT_ENCODING);
    let quality = |names: &[&str]| {
        let listed =
            |item: &Item<'_>| names.iter().any(|name| item.value.eq_ignore_ascii_case(name));
        items(&accept).filter(listed).map(|item| item.quality).max()
    };
    let gzip = quality(&["gzip", "x-gzip"]).or_else(|| quality(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= quality(&["identity"]).unwrap_or(0)
}

/// Returns all lines of a header field as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut joined = String::new();
    for value in headers.get_all(name) {
        joined.push_str(&String::from_utf8_lossy(value.as_bytes()));
        joined.push(',');
    }
    joined
}
