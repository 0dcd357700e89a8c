//! The response of a probe as JSON.

use std::fmt::{self, Write};

use super::Items;
use crate::{
    config::Endpoint,
    message::escape::{Json, OrNull, separated},
};

/// Returns the items, and the names to exclude that are not known, as one JSON object.
pub(super) fn write(endpoint: Endpoint, items: &Items, unknown: &[&str]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_probe(endpoint, items, unknown, &mut out);
    out
}

fn write_probe(
    endpoint: Endpoint,
    items: &Items,
    unknown: &[&str],
    out: &mut String,
) -> fmt::Result {
    let has_passed = items.values().all(Option::is_none);
    write!(out, "{{\"probe\":\"{endpoint}\",\"passed\":{has_passed},\"checks\":[")?;
    separated(out, items, |out, (name, reason)| {
        write!(out, "{{\"name\":{},\"passed\":{}", Json(name), reason.is_none())?;
        write!(out, ",\"reason\":{}}}", OrNull(reason.as_deref().map(Json)))
    })?;
    out.push_str("],\"unknown\":[");
    separated(out, unknown, |out, name| write!(out, "{}", Json(name)))?;
    out.push_str("]}\n");
    Ok(())
}
