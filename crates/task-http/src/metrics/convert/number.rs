//! Numbers and timestamps.

use std::fmt::Write;

use crate::config::Format;

/// Returns the value of a number, and its spelling in both formats. `None` if it is none.
///
/// The formats have the same decimal numbers. Infinities, and what is too large for a float, and
/// NaN are spelled in one way.
pub(super) fn value(token: &str) -> Option<(f64, &str)> {
    let value: f64 = token.parse().ok()?;
    let spelling = if value.is_nan() {
        "NaN"
    } else if value == f64::INFINITY {
        "+Inf"
    } else if value == f64::NEG_INFINITY {
        "-Inf"
    } else {
        token
    };
    Some((value, spelling))
}

/// Returns a timestamp in milliseconds. The text format has whole milliseconds, and OpenMetrics
/// has seconds with a fraction, which are rounded.
pub(super) fn timestamp(token: &str, format: Format) -> Option<i64> {
    match format {
        Format::Text => token.parse().ok(),
        Format::OpenMetrics => {
            let millis = (token.parse::<f64>().ok()? * 1e3).round();
            // Beyond this, a float does not hold every whole number.
            (millis.abs() < 9e15).then_some(millis as i64)
        }
    }
}

/// Writes a timestamp of OpenMetrics.
pub(super) fn push_seconds(out: &mut String, millis: i64) {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    // Writing to a string cannot fail.
    let _ = write!(out, "{sign}{}.{:03}", millis / 1000, millis % 1000);
}
