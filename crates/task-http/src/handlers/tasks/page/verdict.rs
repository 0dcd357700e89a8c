//! The box on top: what is wrong, the most urgent first, and who holds the stop.

use std::{
    cmp::Reverse,
    fmt::{self, Write},
    time::Duration,
};

use task_core::{Blocker, CleanupState, Step, StopDeadline, TaskInfo, TaskState};

use super::human::{HumanDuration, PhaseName, count};
use crate::{
    handlers::tasks::view::{Node, View},
    health::check::Probe,
    message::escape::Html,
};

/// How many problems are shown. The others are counted.
const MAX_PROBLEMS: usize = 6;
/// How many of the last failures are shown, and for how long they count as a problem.
const MAX_FAILURES: usize = 3;
const RECENT: Duration = Duration::from_secs(600);

/// What is wrong, as markup.
struct Problem {
    class: &'static str,
    text: String,
}

/// A task that is asked to stop: one inside a nested group, if it is that which does not end.
struct Stopping<'a> {
    path: String,
    task: &'a TaskInfo,
}

/// Writes the box.
pub(super) fn write(view: &View<'_>, out: &mut String) -> fmt::Result {
    let problems = problems(view);
    let class = match &problems[..] {
        [] => "good",
        problems if problems.iter().any(|problem| problem.class == "bad") => "bad",
        _ => "warn",
    };
    write!(out, "<section class=\"box verdict {class}\">")?;
    if problems.is_empty() {
        write_well(view, out)?;
    }
    let shown = problems.len().min(MAX_PROBLEMS);
    for (index, problem) in problems.iter().take(shown).enumerate() {
        let class = if index == 0 { "lead" } else { "" };
        write!(out, "<p class=\"{class}\">{}</p>", problem.text)?;
    }
    if problems.len() > shown {
        write!(out, "<p>and {} more</p>", problems.len() - shown)?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// Returns what the service is doing, as text: for the page to say once the server is gone.
pub(super) fn doing(view: &View<'_>) -> String {
    let named = |verb: &str, names: &[String]| match names {
        [] => verb.to_owned(),
        [name] => format!("{verb} `{name}`"),
        [name, more @ ..] => format!("{verb} `{name}` and {} more", more.len()),
    };
    match view.group.step {
        Step::Stopping => {
            let stopping = stopping(&view.tasks);
            let names: Vec<_> = stopping.into_iter().map(|stopping| stopping.path).collect();
            named("stopping", &names)
        }
        Step::CleaningUp => {
            let running = view.group.cleanups.iter();
            let running = running.filter(|cleanup| cleanup.state == CleanupState::Running);
            let names: Vec<_> = running.map(|cleanup| cleanup.name.to_string()).collect();
            named("running cleanup", &names)
        }
        step => step.to_string(),
    }
}

/// Writes that nothing is wrong.
fn write_well(view: &View<'_>, out: &mut String) -> fmt::Result {
    let (group, tasks) = (&view.group, count(view.tasks.len(), "task"));
    match group.step {
        Step::Running => {
            write!(out, "<p class=\"lead\">All is well: {tasks} running</p>")?;
        }
        Step::Ended => {
            write!(out, "<p class=\"lead\">Ended, clean</p>")?;
        }
        step => {
            let since = HumanDuration(group.in_step);
            write!(out, "<p class=\"lead\">{} for {since}: {tasks} alive</p>", capital(step))?;
        }
    }
    let last = view.events.iter().rev().find(|event| event.is_failure);
    if let Some(last) = last {
        let ago = HumanDuration(group.uptime.saturating_sub(last.at));
        write!(out, "<p class=\"dim\">Last failure {ago} ago: {}</p>", Html(&last.text))?;
    }
    Ok(())
}

/// Returns what is wrong, the most urgent first.
fn problems(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |class, text| problems.push(Problem { class, text });
    for runtime in &view.runtimes {
        if let Some(stalled) = runtime.stalled {
            let (name, stalled) = (Html(runtime.name), HumanDuration(stalled));
            add("bad", format!("<b>{name}</b> is blocked: no spawned task has run for {stalled}"));
        }
    }
    for stopping in stopping(&view.tasks) {
        add(stopping.class(), stopping.text(view.group.step));
    }
    for cleanup in &view.group.cleanups {
        if cleanup.state == CleanupState::Running {
            let (name, took) = (Html(&cleanup.name), HumanDuration(cleanup.took));
            let left =
                cleanup.remaining.map(|left| format!(", aborted in {}", HumanDuration(left)));
            let left = left.unwrap_or_default();
            add("warn", format!("Cleanup <b>{name}</b> has run for {took}{left}"));
        }
    }
    for check in view.checks.iter().filter(|check| check.passed == Some(false)) {
        let kind = if check.probe == Probe::Live { "Liveness" } else { "Readiness" };
        let (name, reason) = (Html(check.name), check.reason.as_deref().unwrap_or("failed"));
        add("bad", format!("{kind} check <b>{name}</b> fails: {}", Html(reason)));
    }
    if view.group.step == Step::Running {
        for blocker in &view.group.readiness.blockers {
            // A check is above, with its reason.
            if !matches!(blocker, Blocker::CheckFailed(_)) {
                add("bad", not_ready(blocker, view));
            }
        }
    }
    for (path, task) in waiting(&view.tasks) {
        let (path, again) = (Html(&path).to_string(), task.waiting.unwrap_or_default());
        let restarts = count(task.restarts as usize, "restart");
        let mut text = format!("<b>{path}</b> works again in {}, {restarts}", HumanDuration(again));
        add_status(&mut text, task.status.as_deref());
        add("warn", text);
    }
    let failures = view.events.iter().rev().filter(|event| event.is_failure);
    for failure in failures.take(MAX_FAILURES) {
        let ago = view.group.uptime.saturating_sub(failure.at);
        if ago <= RECENT || view.group.step > Step::Running {
            add("bad", format!("{} ago: {}", HumanDuration(ago), Html(&failure.text)));
        }
    }
    problems
}

/// Returns the tasks that are asked to stop and have not ended, by whom the stop is held first: an
/// abandoned one no longer holds it.
fn stopping(nodes: &[Node]) -> Vec<Stopping<'_>> {
    let mut found = Vec::new();
    add_stopping(nodes, "", &mut found);
    let rank = |stopping: &Stopping<'_>| {
        (stopping.task.state == TaskState::Abandoned, Reverse(stopping.task.in_state))
    };
    found.sort_by_key(rank);
    found
}

fn add_stopping<'a>(nodes: &'a [Node], path: &str, found: &mut Vec<Stopping<'a>>) {
    for node in nodes.iter().filter(|node| node.task.state != TaskState::Running) {
        let path = format!("{path}{}", node.task.name);
        let before = found.len();
        for nested in &node.groups {
            add_stopping(&nested.tasks, &format!("{path}/"), found);
        }
        if found.len() == before {
            found.push(Stopping { path, task: &node.task });
        }
    }
}

/// Returns the tasks that pause after a failure, by their paths.
fn waiting(nodes: &[Node]) -> Vec<(String, &TaskInfo)> {
    let mut found = Vec::new();
    for Node { task, groups } in nodes {
        found.extend(task.waiting.map(|_| (task.name.to_string(), task)));
        for nested in groups {
            let inside = waiting(&nested.tasks).into_iter();
            found.extend(inside.map(|(path, inner)| (format!("{}/{path}", task.name), inner)));
        }
    }
    found
}

impl Stopping<'_> {
    fn class(&self) -> &'static str {
        match self.task.state {
            TaskState::Stopping => "warn",
            _ => "bad",
        }
    }

    fn text(&self, step: Step) -> String {
        let (name, asked) = (Html(&self.path), HumanDuration(self.task.in_state));
        let mut text = match self.task.state {
            TaskState::Abandoned => {
                format!("<b>{name}</b> was abandoned: asked to end {asked} ago and still alive")
            }
            TaskState::Aborting => {
                format!("<b>{name}</b> is being aborted: asked to end {asked} ago")
            }
            _ if step == Step::Running => {
                format!("<b>{name}</b> alone is being stopped: asked to end {asked} ago")
            }
            _ => format!("<b>{name}</b> holds the stop: asked to end {asked} ago"),
        };
        if let (TaskState::Stopping, Some(left)) = (self.task.state, self.task.remaining) {
            text.push_str(&format!(", aborted in {}", HumanDuration(left)));
            if let Some(deadline) = deadline(self.task) {
                text.push_str(&format!(" ({deadline})"));
            }
        }
        add_status(&mut text, self.task.status.as_deref());
        text
    }
}

/// Names the deadline of a task.
pub(super) fn deadline(task: &TaskInfo) -> Option<String> {
    let phase = PhaseName(task.phase);
    Some(match task.deadline? {
        StopDeadline::Phase => format!("deadline of phase {phase}"),
        StopDeadline::PhaseTimeout => format!("timeout of phase {phase}"),
        StopDeadline::StopTimeout => "its own stop timeout".to_owned(),
        StopDeadline::NoTimeLeft => format!("no time was left to phase {phase}"),
        StopDeadline::Escalation => "the shutdown was escalated".to_owned(),
        // The enum is non-exhaustive.
        other => other.to_string(),
    })
}

/// Says what keeps the group from being ready, with the status of the task that it is.
fn not_ready(blocker: &Blocker, view: &View<'_>) -> String {
    let mut text = format!("Not ready: {}", Html(&blocker.to_string()));
    if let Blocker::NotReady(name) = blocker {
        let mut tasks = view.tasks.iter().map(|node| &node.task);
        let task = tasks.find(|task| task.name == *name && task.gates_readiness && !task.is_ready);
        add_status(&mut text, task.and_then(|task| task.status.as_deref()));
    }
    text
}

fn add_status(text: &mut String, status: Option<&str>) {
    if let Some(status) = status {
        text.push_str(&format!(" <span class=\"status\">{}</span>", Html(status)));
    }
}

/// Returns the name of a step as the beginning of a sentence.
fn capital(step: Step) -> String {
    let name = step.as_str();
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}
