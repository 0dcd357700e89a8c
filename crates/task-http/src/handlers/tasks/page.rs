//! The group as a page: self-contained, for narrow and wide screens, dark or light.
//!
//! It is complete without its script, and then refreshes by `<meta http-equiv="refresh">`. With the
//! script, it replaces its content in place, keeps what is unfolded, and keeps its last state when
//! the server is gone. All texts that come from the service are escaped where they are written, by
//! [`Html`]; the response has a policy that forbids other scripts and other requests in any case.
//! Rows and bars are bounded, so that ten thousand tasks do not make a page that no browser shows.
//!
//! | part | question |
//! |---|---|
//! | [`verdict`] | What is wrong, and who holds the stop? |
//! | [`shutdown`], [`timeline`] | How far is the shutdown, and where did its time go? |
//! | [`rows`] | Which tasks are there? Those that need attention first, the others folded by phase. |
//! | [`history`] | Which tasks have ended, and what happened? |
//! | [`health`] | How are the checks and the runtime? |

use std::{
    fmt::{self, Write},
    time::UNIX_EPOCH,
};

use task_core::{Outcome, Step};

use super::view::View;
use crate::message::escape::Html;

mod health;
mod history;
mod human;
mod rows;
mod shutdown;
mod timeline;
mod verdict;

use human::{HumanDuration, WallTime};

/// The style sheet and the script, which are parts of the page: its policy forbids to load one.
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The policy of the response. The script is known by its hash, which a test computes.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     script-src 'sha256-YD8b1oW9O3TyBqDCjoRdKjKwvM4nzgLj7Romca1ASYY='; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How often the page refreshes itself: more often in a shutdown.
const REFRESH_SECONDS: u32 = 2;
const REFRESH_SECONDS_SHUTTING_DOWN: u32 = 1;

/// Returns the page. If `is_still`, it does not refresh itself.
pub(super) fn write(view: &View<'_>, is_still: bool) -> String {
    let rows = view.tasks.len().min(rows::MAX_ROWS);
    let mut out = String::with_capacity(16 * 1024 + 256 * rows);
    // Writing to a string cannot fail.
    let _ = write_page(view, is_still, &mut out);
    out
}

/// Writes the parts in their order.
fn write_page(view: &View<'_>, is_still: bool, out: &mut String) -> fmt::Result {
    let group = &view.group;
    let name = if group.name.is_empty() { "tasks" } else { group.name.as_ref() };
    let seconds = match group.step {
        Step::Running => REFRESH_SECONDS,
        _ => REFRESH_SECONDS_SHUTTING_DOWN,
    };
    let still = if is_still { " data-still" } else { "" };
    writeln!(out, "<!doctype html>\n<html lang=\"en\"{still}><head><meta charset=\"utf-8\">")?;
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    if !is_still {
        writeln!(out, "<noscript><meta http-equiv=\"refresh\" content=\"{seconds}\"></noscript>")?;
    }
    write!(out, "<title>{}: {}</title>\n<style>\n{STYLE}</style></head>", Html(name), group.step)?;
    let started = view.instance.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(
        out,
        "<body>\n<p id=\"gone\" class=\"box bad\" role=\"status\" hidden></p>\n\
         <input id=\"search\" type=\"search\" placeholder=\"Filter tasks\" \
         aria-label=\"Filter tasks\" hidden>\n\
         <main data-seconds=\"{seconds}\" data-tasks=\"{}\" data-instance=\"{}-{}\" data-doing=\"{}\">\n",
        view.tasks.len(),
        view.instance.pid,
        started.as_millis(),
        Html(&verdict::doing(view)),
    )?;
    write_head(view, name, out)?;
    verdict::write(view, out)?;
    if group.step > Step::Running {
        shutdown::write(view, out)?;
        timeline::write(view, out)?;
    }
    rows::write(view, out)?;
    health::write(view, out)?;
    history::write_events(view, out)?;
    history::write_ended(view, out)?;
    write_foot(view, is_still, out)?;
    writeln!(out, "</main>\n<script>{SCRIPT}</script></body></html>")
}

/// Writes the name of the group, its step, whether it is ready, and which process this is.
fn write_head(view: &View<'_>, name: &str, out: &mut String) -> fmt::Result {
    let (group, instance) = (&view.group, view.instance);
    let step_class = if group.step == Step::Running { "good" } else { "warn" };
    let (ready_class, ready) =
        if group.readiness.is_ready() { ("good", "ready") } else { ("bad", "not ready") };
    write!(
        out,
        "<header><h1>{}</h1><span class=\"tag {step_class}\">{}</span>\
         <span class=\"tag {ready_class}\">{ready}</span><span class=\"dim facts\">",
        Html(name),
        group.step,
    )?;
    let parts = [
        instance.host.as_ref().map(|host| Html(host).to_string()),
        Some(format!("pid {}", instance.pid)),
        instance.version.as_ref().map(|version| format!("version {}", Html(version))),
        Some(format!("up {}", HumanDuration(group.uptime))),
        Some(format!("since {} UTC", WallTime::full(instance.started))),
    ];
    for part in parts.into_iter().flatten() {
        write!(out, "<span>{part}</span>")?;
    }
    out.push_str("</span></header>\n");
    Ok(())
}

/// Writes the totals and the links.
fn write_foot(view: &View<'_>, is_still: bool, out: &mut String) -> fmt::Result {
    let totals = &view.group.totals;
    write!(out, "<footer class=\"dim\"><p>{} tasks started", totals.started)?;
    for outcome in Outcome::ALL.into_iter().filter(|outcome| totals.of(*outcome) > 0) {
        write!(out, " · {} {outcome}", totals.of(outcome))?;
    }
    for signal in &view.group.signals {
        write!(out, " · {} × {}", Html(&signal.name), signal.count)?;
    }
    let (href, word) = if is_still { ("?", "resume refresh") } else { ("?still", "pause refresh") };
    writeln!(
        out,
        "</p><p><a href=\"{href}\">{word}</a> · <a href=\"?format=json\">JSON</a></p></footer>"
    )
}
