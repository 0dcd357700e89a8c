//! What is over: the events, and the tasks that have ended, by name.

use std::fmt::{self, Write};

use task_core::{Exits, Outcome};

use super::human::{HumanDuration, WallTime, count};
use crate::{handlers::tasks::view::View, message::escape::Html};

/// How many of the last events are shown. JSON has all that are kept.
const MAX_EVENTS: usize = 40;

/// Writes the last events, the newest first.
pub(super) fn write_events(view: &View<'_>, out: &mut String) -> fmt::Result {
    if view.events.is_empty() {
        return Ok(());
    }
    out.push_str("<details class=\"box\" data-key=\"events\" open><summary><b>Events</b> ");
    let shown = view.events.len().min(MAX_EVENTS);
    write!(
        out,
        "<span class=\"dim\">the last {shown}, times in UTC</span></summary>\n<ol class=\"events\">"
    )?;
    let since = |time| view.instance.started.checked_add(time).unwrap_or(view.instance.started);
    let now = since(view.group.uptime);
    for event in view.events.iter().rev().take(MAX_EVENTS) {
        let class = if event.is_failure { " class=\"failed\"" } else { "" };
        let at = since(event.at);
        let ago = HumanDuration(view.group.uptime.saturating_sub(event.at));
        writeln!(
            out,
            "<li{class}><time title=\"{}, {ago} ago\">{}</time> <span>{}</span></li>",
            WallTime::full(at),
            WallTime::short(at, now),
            Html(&event.text),
        )?;
    }
    out.push_str("</ol></details>\n");
    Ok(())
}

/// Writes how the tasks of each name have ended, the unclean ones first.
pub(super) fn write_ended(view: &View<'_>, out: &mut String) -> fmt::Result {
    let mut exits: Vec<&Exits> = view.group.exits.iter().collect();
    if exits.is_empty() {
        return Ok(());
    }
    let unclean = |exits: &Exits| -> u64 {
        let outcomes = Outcome::ALL.into_iter().filter(|outcome| !outcome.is_clean());
        outcomes.map(|outcome| exits.of(outcome)).sum()
    };
    exits.sort_by_key(|exits| std::cmp::Reverse(unclean(exits)));
    let total: u64 = exits.iter().map(|exits| exits.total()).sum();
    let bad: u64 = exits.iter().map(|exits| unclean(exits)).sum();
    write!(
        out,
        "<details class=\"box\" data-key=\"ended\"><summary><b>Ended</b> \
         <span class=\"dim\">{}, {}</span>",
        count(total as usize, "task"),
        count(exits.len(), "name"),
    )?;
    if bad > 0 {
        write!(out, " <span class=\"tag bad\">{bad} not clean</span>")?;
    }
    out.push_str("</summary>\n<ul class=\"rows\">\n");
    for exits in exits {
        let name = exits.name.as_deref().unwrap_or("others");
        write!(out, "<li class=\"row\"><span class=\"name\">{}</span><span>", Html(name))?;
        for outcome in Outcome::ALL.into_iter().filter(|outcome| exits.of(*outcome) > 0) {
            let class = if outcome.is_clean() { "" } else { " bad" };
            write!(out, "<span class=\"tag{class}\">{} {outcome}</span> ", exits.of(outcome))?;
        }
        out.push_str("</span></li>\n");
    }
    out.push_str("</ul></details>\n");
    Ok(())
}
