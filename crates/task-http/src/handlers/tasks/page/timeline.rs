//! The timeline of a shutdown: a bar for each task that was asked to stop and for each cleanup that
//! has begun, from the trigger on the left to the deadline of the whole on the right. What has not
//! ended also has a mark at its own deadline, which is named below.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use task_core::{CleanupState, Outcome, ShutdownInfo, TaskState};

use super::{
    human::{HumanDuration, PhaseName, count},
    verdict::deadline,
};
use crate::{handlers::tasks::view::View, message::escape::Html};

/// The number of bars: those of the longest durations are shown.
const MAX_BARS: usize = 60;
/// The number of deadlines that are named: the first.
const MAX_DEADLINES: usize = 8;

/// What took less than this part of the whole, and ended cleanly, is folded.
const SHORT: u32 = 100;
/// The styles of the bars of what has not ended, and of what ended cleanly.
const ALIVE: &str = "alive";
const CLEAN: &str = "clean";

/// A bar. Times count from the trigger.
struct Bar<'a> {
    name: &'a str,
    kind: String,
    from: Duration,
    to: Duration,
    /// The outcome, or the state.
    state: &'static str,
    class: &'static str,
    /// When it is aborted, and the name of that deadline.
    deadline: Option<(Duration, String)>,
}

impl Bar<'_> {
    fn took(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// What the tracks of the bars show, from left to right.
struct Scale {
    /// In seconds.
    whole: f64,
    now: Duration,
}

impl Scale {
    fn percent(&self, time: Duration) -> f64 {
        (time.as_secs_f64() / self.whole.max(f64::MIN_POSITIVE) * 100.0).min(100.0)
    }

    fn write(&self, bar: &Bar<'_>, out: &mut String) -> fmt::Result {
        let (left, right) = (self.percent(bar.from), self.percent(bar.to));
        write!(
            out,
            "<div class=\"time\"><span class=\"label\">{} <span class=\"dim\">{}</span></span>",
            Html(bar.name),
            bar.kind
        )?;
        write!(
            out,
            "<span class=\"track\"><i class=\"{}\" style=\"left:{left:.2}%;width:{:.2}%\"></i>",
            bar.class,
            right - left
        )?;
        if let Some((at, _)) = &bar.deadline {
            write!(out, "<u style=\"left:{:.2}%\"></u>", self.percent(*at))?;
        }
        write!(out, "<b style=\"left:{:.2}%\"></b></span>", self.percent(self.now))?;
        let took = HumanDuration(bar.took());
        writeln!(
            out,
            "<span class=\"took\">{took} <span class=\"dim\">{}</span></span></div>",
            bar.state
        )
    }
}

/// Writes the timeline, unless there is no bar to show yet.
pub(super) fn write(view: &View<'_>, out: &mut String) -> fmt::Result {
    let Some(shutdown) = &view.group.shutdown else { return Ok(()) };
    let mut bars = bars(view, shutdown);
    if bars.is_empty() {
        return Ok(());
    }
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.took()));
    let more = (bars.len().saturating_sub(MAX_BARS)) as u64 + shutdown.omitted;
    bars.truncate(MAX_BARS);
    // What has not ended comes first: it is what a person looks for.
    bars.sort_by_key(|bar| (bar.class != ALIVE, bar.from, bar.to));

    let whole = shutdown.budget.unwrap_or_default().max(shutdown.took);
    let scale = Scale { whole: whole.as_secs_f64(), now: shutdown.took };
    let (short, long): (Vec<&Bar<'_>>, Vec<&Bar<'_>>) =
        bars.iter().partition(|bar| bar.class == CLEAN && bar.took() < whole / SHORT);
    out.push_str("<section class=\"box times\"><h2>Timeline</h2>\n");
    for bar in long {
        scale.write(bar, out)?;
    }
    let end = HumanDuration(shutdown.budget.unwrap_or(shutdown.took));
    writeln!(
        out,
        "<div class=\"time dim\"><span class=\"scale\"><span>0</span><span>{end}</span></span></div>"
    )?;
    write_deadlines(&bars, out)?;
    write_short(&scale, &short, out)?;
    if more > 0 {
        write!(
            out,
            "<p class=\"dim\">and {more} more, which took less: <a href=\"?format=json\">as JSON</a></p>"
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// Folds what ended cleanly in next to no time.
fn write_short(scale: &Scale, bars: &[&Bar<'_>], out: &mut String) -> fmt::Result {
    let Some(longest) = bars.iter().map(|bar| bar.took()).max() else { return Ok(()) };
    writeln!(
        out,
        "<details data-key=\"short\"><summary class=\"dim\">{} within {}</summary>",
        count(bars.len(), "clean end"),
        // Rounded up, so that it is true of each.
        HumanDuration(Duration::from_millis((longest.as_millis() as u64 / 100 + 1) * 100)),
    )?;
    for bar in bars {
        scale.write(bar, out)?;
    }
    out.push_str("</details>");
    Ok(())
}

/// Names the deadlines of the marks, each once.
fn write_deadlines(bars: &[Bar<'_>], out: &mut String) -> fmt::Result {
    let deadlines = bars.iter().filter_map(|bar| bar.deadline.as_ref());
    let mut named: Vec<_> = deadlines.map(|(at, name)| (at.as_secs(), at, name)).collect();
    named.sort();
    named.dedup_by_key(|(second, _, name)| (*second, *name));
    if named.is_empty() {
        return Ok(());
    }
    out.push_str("<p class=\"dim facts\">");
    for (_, at, name) in named.iter().take(MAX_DEADLINES) {
        write!(out, "<span><u></u>{}: {}</span>", HumanDuration(**at), Html(name))?;
    }
    out.push_str("</p>");
    Ok(())
}

/// Returns the bars of tasks that ended, of tasks that are stopping, and of cleanups.
fn bars<'a>(view: &'a View<'_>, shutdown: &'a ShutdownInfo) -> Vec<Bar<'a>> {
    let (group, since_trigger) = (&view.group, |at: Duration| at.saturating_sub(shutdown.began_at));
    let ended = shutdown.ended.iter().map(|task| Bar {
        name: &task.name,
        kind: PhaseName(task.phase).to_string(),
        from: since_trigger(task.ended_at.saturating_sub(task.stop_took.unwrap_or_default())),
        to: since_trigger(task.ended_at),
        state: task.outcome.as_str(),
        class: class(task.outcome),
        deadline: None,
    });
    let living = view.tasks.iter().map(|node| &node.task).filter(|task| {
        // A task that was abandoned has its bar already, among those that have ended.
        matches!(task.state, TaskState::Stopping | TaskState::Aborting)
    });
    let now = since_trigger(group.uptime);
    let living = living.map(|task| Bar {
        name: &task.name,
        kind: PhaseName(task.phase).to_string(),
        from: since_trigger(group.uptime.saturating_sub(task.in_state)),
        to: now,
        state: task.state.as_str(),
        class: ALIVE,
        deadline: task.remaining.map(|left| now.saturating_add(left)).zip(deadline(task)),
    });
    let cleanups = group.cleanups.iter().filter_map(|cleanup| {
        let from = since_trigger(cleanup.began_at?);
        let class = match cleanup.state {
            CleanupState::Ended(outcome) => class(outcome),
            _ => ALIVE,
        };
        let deadline = cleanup.remaining.map(|left| {
            (now.saturating_add(left), format!("deadline of cleanup {}", cleanup.name))
        });
        let kind = "cleanup".to_owned();
        let (name, state, to) = (&*cleanup.name, cleanup.state.as_str(), from + cleanup.took);
        Some(Bar { name, kind, from, to, state, class, deadline })
    });
    ended.chain(living).chain(cleanups).collect()
}

/// Returns the style of a bar by its outcome.
const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed | Outcome::Cancelled => CLEAN,
        // The enum is non-exhaustive.
        _ => "unclean",
    }
}
