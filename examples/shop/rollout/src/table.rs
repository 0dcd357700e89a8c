//! The table of results: a line per cell and kind of client.

use std::time::Duration;

use crate::scenario::{Cell, Found, Promise};

pub(crate) fn head() -> String {
    format!(
        "{:<8} {:<6} {:>7} {:>7}  {:<9} {:>8} {:>5} {:>7} {:>5} {:>7} {:>5} {:>4} {:>8} {:>6} {:>12}  {:<17} {}",
        "scenario",
        "server",
        "drain",
        "pause",
        "clients",
        "requests",
        "lost",
        "refused",
        "reset",
        "non-2xx",
        "cut",
        "late",
        "declined",
        "resent",
        "unknown/done",
        "stop: median, max",
        "promise"
    )
}

/// The lines of a cell.
pub(crate) fn lines(scenario: &str, cell: &Cell, found: &Found, broken: &[String]) -> Vec<String> {
    let (median, longest, killed) = found.stops();
    let stops = format!("{}, {}", seconds(median), seconds(longest));
    let stops = if killed > 0 { format!("{stops}, {killed} killed") } else { stops };
    let promise = match cell.promise {
        Promise::Nothing if broken.is_empty() => "-",
        _ if broken.is_empty() => "kept",
        _ => "BROKEN",
    };
    let mut lines = Vec::new();
    for (kind, (counts, posts)) in &found.kinds {
        // The times and the promise are those of the cell.
        let (stops, promise) = match lines.is_empty() {
            true => (stops.as_str(), promise),
            false => ("", ""),
        };
        let line = format!(
            "{scenario:<8} {:<6} {:>7} {:>7}  {:<9} {:>8} {:>5} {:>7} {:>5} {:>7} {:>5} {:>4} {:>8} {:>6} {:>12}  \
             {stops:<17} {promise}",
            cell.server.name(),
            millis(cell.drain),
            millis(cell.pause),
            kind.name(),
            counts.requests(),
            counts.lost,
            counts.refused + counts.unprocessed,
            counts.reset,
            counts.not_2xx,
            counts.cut,
            counts.late,
            counts.declined,
            counts.resent,
            format!("{}/{}", posts.unknown, posts.unknown_done),
        );
        lines.push(line.trim_end().to_owned());
        if cell.promise == Promise::NothingLost && counts.overslept > 0 {
            lines.push(format!(
                "    {} of the failures are the harness's own: it was held up",
                counts.overslept
            ));
        }
    }
    lines.extend(found.notes.iter().map(|note| format!("    {note}")));
    lines
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
