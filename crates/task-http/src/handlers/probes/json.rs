//! A probe's answer as JSON, for programs that want to know more than a status.

use std::fmt::Write;

use super::Findings;
use crate::{
    config::Endpoint,
    message::escape::{Json, OrNull, separated},
};

pub(super) fn write(endpoint: Endpoint, findings: &Findings, unknown: &[&str]) -> String {
    let has_passed = findings.values().all(Option::is_none);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "{{\"probe\":\"{endpoint}\",\"passed\":{has_passed},\"checks\":[");
    let _ = separated(&mut out, findings, |out, (name, reason)| {
        write!(out, "{{\"name\":{},\"passed\":{}", Json(name), reason.is_none())?;
        write!(out, ",\"reason\":{}}}", OrNull(reason.as_deref().map(Json)))
    });
    out.push_str("],\"unknown\":[");
    let _ = separated(&mut out, unknown, |out, name| write!(out, "{}", Json(name)));
    out.push_str("]}\n");
    out
}
