//! The timeline of a shutdown: a bar for each task that was asked to stop and for each cleanup that
//! has begun, from the trigger on the left to the deadline on the right.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use task_core::{CleanupState, GroupSnapshot, Outcome, ShutdownInfo, TaskState};

use super::human::{HumanDuration, PhaseName};
use crate::message::escape::Html;

/// The number of bars: those of the longest durations are shown.
const MAX_BARS: usize = 60;

/// A bar. Times count from the trigger.
struct Bar<'a> {
    name: &'a str,
    kind: String,
    from: Duration,
    to: Duration,
    /// The outcome, or the state.
    state: &'static str,
    class: &'static str,
}

/// Writes the timeline, unless there is no bar to show yet.
pub(super) fn write(snapshot: &GroupSnapshot, out: &mut String) -> fmt::Result {
    let Some(shutdown) = &snapshot.shutdown else { return Ok(()) };
    let mut bars = bars(snapshot, shutdown);
    if bars.is_empty() {
        return Ok(());
    }
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.to.saturating_sub(bar.from)));
    let more = (bars.len().saturating_sub(MAX_BARS)) as u64 + shutdown.omitted;
    bars.truncate(MAX_BARS);
    bars.sort_by_key(|bar| (bar.from, bar.to));

    let whole = shutdown.budget.unwrap_or_default().max(shutdown.took).as_secs_f64();
    let percent = |time: Duration| time.as_secs_f64() / whole.max(f64::MIN_POSITIVE) * 100.0;
    out.push_str("<section class=\"box times\"><h2>Timeline</h2>\n");
    for bar in &bars {
        let (left, right) = (percent(bar.from).min(100.0), percent(bar.to).min(100.0));
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
        let now = percent(shutdown.took).min(100.0);
        write!(out, "<b style=\"left:{now:.2}%\"></b></span>")?;
        let took = HumanDuration(bar.to.saturating_sub(bar.from));
        writeln!(
            out,
            "<span class=\"took\">{took} <span class=\"dim\">{}</span></span></div>",
            bar.state
        )?;
    }
    if more > 0 {
        write!(
            out,
            "<p class=\"dim\">and {more} more, which took less: <a href=\"?format=json\">as JSON</a></p>"
        )?;
    }
    let end = HumanDuration(shutdown.budget.unwrap_or(shutdown.took));
    writeln!(
        out,
        "<div class=\"time dim\"><span class=\"scale\"><span>0</span><span>{end}</span></span></div></section>"
    )
}

/// Returns the bars of tasks that ended, of tasks that are stopping, and of cleanups.
fn bars<'a>(snapshot: &'a GroupSnapshot, shutdown: &'a ShutdownInfo) -> Vec<Bar<'a>> {
    let since_trigger = |at: Duration| at.saturating_sub(shutdown.began_at);
    let ended = shutdown.ended.iter().map(|task| Bar {
        name: &task.name,
        kind: PhaseName(task.phase).to_string(),
        from: since_trigger(task.ended_at.saturating_sub(task.stop_took.unwrap_or_default())),
        to: since_trigger(task.ended_at),
        state: task.outcome.as_str(),
        class: class(task.outcome),
    });
    let living = snapshot.tasks.iter().filter(|task| {
        // A task that was abandoned has its bar already, among those that have ended.
        matches!(task.state, TaskState::Stopping | TaskState::Aborting)
    });
    let living = living.map(|task| Bar {
        name: &task.name,
        kind: PhaseName(task.phase).to_string(),
        from: since_trigger(snapshot.uptime.saturating_sub(task.in_state)),
        to: since_trigger(snapshot.uptime),
        state: task.state.as_str(),
        class: "alive",
    });
    let cleanups = snapshot.cleanups.iter().filter_map(|cleanup| {
        let from = since_trigger(cleanup.began_at?);
        let class = match cleanup.state {
            CleanupState::Ended(outcome) => class(outcome),
            _ => "alive",
        };
        let kind = "cleanup".to_owned();
        let state = cleanup.state.as_str();
        Some(Bar { name: &cleanup.name, kind, from, to: from + cleanup.took, state, class })
    });
    ended.chain(living).chain(cleanups).collect()
}

/// Returns the style of a bar by its outcome.
const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed | Outcome::Cancelled => "clean",
        // The enum is non-exhaustive.
        _ => "unclean",
    }
}
