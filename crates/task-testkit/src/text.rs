//! Durations and lists of lines as text.

use std::{fmt, time::Duration};

/// Returns a duration in seconds, to the millisecond: `1.5 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (whole, part) = (millis / 1000, millis % 1000);
    if part == 0 {
        return format!("{whole} s");
    }
    let part = format!("{part:03}");
    format!("{whole}.{} s", part.trim_end_matches('0'))
}

/// Writes each line behind a line break and two spaces.
pub(crate) fn indented<T: fmt::Display>(lines: impl IntoIterator<Item = T>) -> String {
    lines.into_iter().map(|line| format!("\n  {line}")).collect()
}
