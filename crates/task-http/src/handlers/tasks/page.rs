//! The group as a page: self-contained, without scripts, for narrow and wide screens, dark or
//! light.
//!
//! The page refreshes by `<meta http-equiv="refresh">`, since it has no scripts. All texts that
//! come from the service are escaped where they are written, by [`Html`]; the response has a policy
//! that forbids scripts and requests in any case. Rows and bars are bounded, so that ten thousand
//! tasks do not make a page that no browser shows.

use std::fmt::{self, Write};

use task_core::{GroupSnapshot, Outcome, Step, TaskInfo, TaskState};

use crate::message::escape::Html;

mod human;
mod shutdown;
mod timeline;

use human::{HumanDuration, NonZero, PhaseName};

/// The style sheet, which is part of the page: the policy of the response forbids to load one.
const STYLE: &str = include_str!("page.css");
/// The number of rows of the table. JSON has all tasks.
const MAX_ROWS: usize = 500;
/// How often the page refreshes itself: more often in a shutdown.
const REFRESH_SECONDS: u32 = 2;
const REFRESH_SECONDS_SHUTTING_DOWN: u32 = 1;

/// Returns the page. If `is_still`, it does not refresh itself.
pub(super) fn write(snapshot: &GroupSnapshot, is_still: bool) -> String {
    let mut out = String::with_capacity(8 * 1024 + 512 * snapshot.tasks.len().min(MAX_ROWS));
    // Writing to a string cannot fail.
    let _ = write_page(snapshot, is_still, &mut out);
    out
}

/// Writes the parts in their order: head, shutdown, blockers, table, foot.
fn write_page(snapshot: &GroupSnapshot, is_still: bool, out: &mut String) -> fmt::Result {
    let name = if snapshot.name.is_empty() { "tasks" } else { snapshot.name.as_ref() };
    out.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    if !is_still {
        let seconds = match snapshot.step {
            Step::Running => REFRESH_SECONDS,
            _ => REFRESH_SECONDS_SHUTTING_DOWN,
        };
        writeln!(out, "<meta http-equiv=\"refresh\" content=\"{seconds}\">")?;
    }
    write!(
        out,
        "<title>{}: {}</title>\n<style>\n{STYLE}</style></head><body>\n",
        Html(name),
        snapshot.step
    )?;
    write_head(snapshot, name, out)?;
    if snapshot.step > Step::Running {
        shutdown::write(snapshot, out)?;
        timeline::write(snapshot, out)?;
    }
    // In a shutdown, that is the only blocker, and the box above shows it.
    if snapshot.step == Step::Running && !snapshot.readiness.is_ready() {
        out.push_str("<div class=\"box\">Not ready:<ul>");
        for blocker in &snapshot.readiness.blockers {
            write!(out, "<li>{}</li>", Html(&blocker.to_string()))?;
        }
        out.push_str("</ul></div>\n");
    }
    write_table(snapshot, out)?;
    write_foot(snapshot, is_still, out)
}

/// Writes the name of the group, its step, and whether it is ready.
fn write_head(snapshot: &GroupSnapshot, name: &str, out: &mut String) -> fmt::Result {
    let step_class = if snapshot.step == Step::Running { "good" } else { "warn" };
    let (ready_class, ready) =
        if snapshot.readiness.is_ready() { ("good", "ready") } else { ("bad", "not ready") };
    writeln!(
        out,
        "<header><h1>{}</h1><span class=\"tag {step_class}\">{}</span><span class=\"tag {ready_class}\">{ready}</span>\
         <span class=\"dim\">for {}</span></header>",
        Html(name),
        snapshot.step,
        HumanDuration(snapshot.in_step),
    )
}

/// Writes the table of living tasks, with at most [`MAX_ROWS`] rows.
fn write_table(snapshot: &GroupSnapshot, out: &mut String) -> fmt::Result {
    out.push_str("<table><thead><tr>");
    for (title, class) in [
        ("Task", ""),
        ("State", ""),
        ("Phase", ""),
        ("Ready", ""),
        ("Status", ""),
        ("Uptime", " class=\"number\""),
        ("Restarts", " class=\"number\""),
        ("Failures", " class=\"number\""),
    ] {
        write!(out, "<th{class}>{title}</th>")?;
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for task in snapshot.tasks.iter().take(MAX_ROWS) {
        write_row(task, out)?;
    }
    out.push_str("</tbody></table>\n");
    if let Some(more) = snapshot.tasks.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
        writeln!(
            out,
            "<p class=\"dim\">and {more} more: <a href=\"?format=json\">all as JSON</a></p>"
        )?;
    }
    Ok(())
}

/// Writes the row of a task. `data-is` has the title of the column for narrow screens, on which
/// each cell is a line of its own.
fn write_row(task: &TaskInfo, out: &mut String) -> fmt::Result {
    write!(
        out,
        "<tr><td class=\"name\">{}</td><td class=\"state\" data-is=\"State\"><span>",
        Html(&task.name)
    )?;
    let class = match task.state {
        TaskState::Running => "good",
        TaskState::Stopping => "warn",
        _ => "bad",
    };
    write!(out, "<span class=\"tag {class}\">{}</span>", task.state)?;
    if let Some(waiting) = task.waiting {
        write!(out, " <span class=\"dim\">works again in {}</span>", HumanDuration(waiting))?;
    }
    if task.state != TaskState::Running {
        write!(out, " <span class=\"dim\">for {}</span>", HumanDuration(task.in_state))?;
        if let Some(remaining) = task.remaining {
            write!(out, "<span class=\"dim\">, {} left</span>", HumanDuration(remaining))?;
            let spent = task.in_state.as_secs_f64();
            let share = spent / (spent + remaining.as_secs_f64()).max(f64::MIN_POSITIVE) * 100.0;
            write!(out, "<span class=\"bar\"><i style=\"width:{share:.0}%\"></i></span>")?;
        }
    }
    out.push_str("</span></td>");
    write!(out, "<td data-is=\"Phase\"><span>{}", PhaseName(task.phase))?;
    if task.is_ephemeral {
        out.push_str(" <span class=\"dim\">ephemeral</span>");
    }
    out.push_str("</span></td><td data-is=\"Ready\">");
    match (task.gates_readiness, task.is_ready) {
        (true, true) => out.push_str("<span class=\"tag good\">ready</span>"),
        (true, false) => out.push_str("<span class=\"tag bad\">not ready</span>"),
        (false, true) => out.push_str("ready"),
        (false, false) => {}
    }
    let status = task.status.as_deref().unwrap_or_default();
    write!(out, "</td><td class=\"status\" data-is=\"Status\">{}</td>", Html(status))?;
    writeln!(
        out,
        "<td class=\"number\" data-is=\"Uptime\">{}</td><td class=\"number\" data-is=\"Restarts\">{}</td>\
         <td class=\"number\" data-is=\"Failures\">{}</td></tr>",
        HumanDuration(task.uptime),
        NonZero(task.restarts),
        NonZero(task.failures),
    )
}

/// Writes the totals and the links.
fn write_foot(snapshot: &GroupSnapshot, is_still: bool, out: &mut String) -> fmt::Result {
    let totals = &snapshot.totals;
    write!(out, "<footer class=\"dim\"><p>{} tasks started", totals.started)?;
    for outcome in Outcome::ALL.into_iter().filter(|outcome| totals.of(*outcome) > 0) {
        write!(out, " · {} {outcome}", totals.of(outcome))?;
    }
    let (href, word) = if is_still { ("?", "resume refresh") } else { ("?still", "pause refresh") };
    writeln!(
        out,
        "</p><p><a href=\"{href}\">{word}</a> · <a href=\"?format=json\">JSON</a></p></footer></body></html>"
    )
}
