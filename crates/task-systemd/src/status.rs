//! The status as text: what the group does, and what it waits for.

use std::{fmt::Write as _, time::Duration};

use task_core::{Blocker, CleanupState, GroupSnapshot, Outcome, Step, TaskInfo, TaskState};

/// How many tasks are named one by one.
const NAMED: usize = 3;
/// How much of a name, a cause or a status is shown, in characters.
const SHOWN: usize = 200;

/// Describes the group in one line, as `systemctl status` shows it.
pub(crate) fn describe(group: &GroupSnapshot) -> String {
    match group.step {
        Step::Running if group.readiness.is_ready() => ready(group),
        Step::Running => waiting(group),
        _ => stopping(group),
    }
}

fn ready(group: &GroupSnapshot) -> String {
    let mut text = format!("ready, {}", tasks(group.tasks.len()));
    let failures: u64 = group.tasks.iter().map(|task| u64::from(task.failures)).sum();
    if failures > 0 {
        let _ = write!(text, ", {failures} survived failures");
    }
    text
}

/// Describes a group that is not ready, with the first of what keeps it so.
fn waiting(group: &GroupSnapshot) -> String {
    let blockers = &group.readiness.blockers;
    let mut text = if group.readiness.has_started { "not ready" } else { "starting" }.to_owned();
    let [first, rest @ ..] = blockers.as_slice() else { return text };
    let _ = write!(text, ": {}", shown(&first.to_string()));
    if let Blocker::NotReady(name) = first
        && let Some(task) = group.tasks.iter().find(|task| task.name == *name)
    {
        text += &in_brackets(task);
    }
    and_more(&mut text, rest.len());
    text
}

/// Describes a shutdown: its cause, its time, and what it waits for or how it ended.
fn stopping(group: &GroupSnapshot) -> String {
    let mut text = match group.step {
        Step::Ended => "stopped".to_owned(),
        step => step.to_string(),
    };
    if let Some(cause) = &group.cause {
        let _ = write!(text, " ({})", shown(cause));
    }
    if let Some(shutdown) = &group.shutdown {
        text += if group.step == Step::Ended { " in " } else { ": " };
        text += &time(shutdown.took, shutdown.budget);
    }
    match group.step {
        Step::Draining => {
            let _ = write!(text, ", {}", tasks(group.tasks.len()));
        }
        Step::Stopping => text += &waits_for_tasks(group),
        Step::CleaningUp => {
            let is_running = |cleanup: &&_| {
                matches!(cleanup, task_core::CleanupInfo { state: CleanupState::Running, .. })
            };
            if let Some(cleanup) = group.cleanups.iter().find(is_running) {
                let _ = write!(text, ", waits for cleanup {}", shown(&cleanup.name));
            }
        }
        _ => text += &result(group),
    }
    text
}

/// Names the tasks that are asked to end and alive, the one that takes longest first.
fn waits_for_tasks(group: &GroupSnapshot) -> String {
    let is_waited_for = |task: &&TaskInfo| task.state != TaskState::Running;
    let mut tasks: Vec<_> = group.tasks.iter().filter(is_waited_for).collect();
    // Stable, so among those that were asked together the one that was admitted first is first.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.in_state));
    let [first, rest @ ..] = tasks.as_slice() else { return String::new() };
    let mut text = format!(", waits for {}{}", shown(&first.name), in_brackets(first));
    and_more(&mut text, rest.len());
    text
}

/// Names the tasks and cleanups that did not end cleanly.
fn result(group: &GroupSnapshot) -> String {
    let Some(shutdown) = &group.shutdown else { return String::new() };
    let tasks = shutdown.ended.iter().filter(|task| is_unclean(task.outcome));
    let tasks = tasks.map(|task| {
        let status = task.status.as_deref().map(|status| format!(" ({})", shown(status)));
        format!("{} {}{}", shown(&task.name), task.outcome, status.unwrap_or_default())
    });
    let cleanups = group.cleanups.iter().filter_map(|cleanup| match cleanup.state {
        CleanupState::Ended(outcome) if is_unclean(outcome) => {
            Some(format!("cleanup {} {outcome}", shown(&cleanup.name)))
        }
        _ => None,
    });
    let unclean: Vec<_> = tasks.chain(cleanups).collect();
    if unclean.is_empty() {
        return ", clean".to_owned();
    }
    let mut text = format!(": {}", unclean[..unclean.len().min(NAMED)].join(", "));
    and_more(&mut text, unclean.len().saturating_sub(NAMED));
    text
}

fn is_unclean(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Completed | Outcome::Cancelled)
}

fn time(took: Duration, budget: Option<Duration>) -> String {
    match budget {
        Some(budget) => format!("{} of {} s", took.as_secs(), budget.as_secs_f64().ceil()),
        None => format!("{} s", took.as_secs()),
    }
}

fn tasks(count: usize) -> String {
    match count {
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    }
}

fn in_brackets(task: &TaskInfo) -> String {
    task.status.as_deref().map_or_else(String::new, |status| format!(" ({})", shown(status)))
}

fn and_more(text: &mut String, count: usize) {
    if count > 0 {
        let _ = write!(text, " and {count} more");
    }
}

/// Cuts a text that is not ours. That the whole is one line is seen to where it becomes a message.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
