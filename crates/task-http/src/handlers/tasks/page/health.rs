//! The checks, and how the runtime does.

use std::fmt::{self, Write};

use super::human::{HumanDuration, count};
use crate::{handlers::tasks::view::View, message::escape::Html};

/// Writes the box.
pub(super) fn write(view: &View<'_>, out: &mut String) -> fmt::Result {
    out.push_str("<section class=\"box health\"><h2>Health</h2><p>");
    for check in &view.checks {
        let (class, word) = match check.passed {
            Some(true) => ("good", "ok"),
            Some(false) => ("bad", "fails"),
            None => ("", "not run yet"),
        };
        write!(out, "<span class=\"tag {class}\">{} {word}</span> ", Html(check.name))?;
    }
    for runtime in &view.runtimes {
        let class = if runtime.stalled.is_some() { "bad" } else { "good" };
        let word = if runtime.stalled.is_some() { "blocked" } else { "ok" };
        write!(out, "<span class=\"tag {class}\">{} {word}</span> ", Html(runtime.name))?;
    }
    out.push_str("</p><p class=\"dim facts\">");
    write!(out, "<span>{}</span>", count(view.workers, "worker"))?;
    write!(out, "<span>{}</span>", count(view.alive, "Tokio task"))?;
    write!(out, "<span>{} queued</span>", view.queued)?;
    for runtime in &view.runtimes {
        write!(out, "<span>{}: a spawned task runs after ", Html(runtime.name))?;
        match runtime.delay.as_millis() {
            0 => write!(out, "{} µs", runtime.delay.as_micros())?,
            1..1000 => write!(out, "{} ms", runtime.delay.as_millis())?,
            _ => write!(out, "{}", HumanDuration(runtime.delay))?,
        }
        if runtime.stalls > 0 {
            write!(out, ", {} so far", count(runtime.stalls as usize, "stall"))?;
        }
        out.push_str("</span>");
    }
    out.push_str("</p></section>\n");
    Ok(())
}
