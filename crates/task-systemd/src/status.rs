//! The status as text: what the group does, and what it waits for.

use std::fmt::Write as _;

use task_core::{Blocker, CleanupInfo, CleanupState, GroupSnapshot, Step, TaskInfo, TaskState};

/// How much of a name, a cause or a status is shown, in characters.
const SHOWN: usize = 200;

/// Describes the group in one line, as `systemctl status` shows it; one that has ended with its
/// failures, if they are known.
pub(crate) fn describe(group: &GroupSnapshot, failures: Option<&[String]>) -> String {
    match group.step {
        Step::Running if group.readiness.is_ready() => ready(group),
        Step::Running => waiting(group),
        Step::Ended => stopped(group, failures),
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

/// Describes a shutdown: its cause, its time, and what it waits for.
fn stopping(group: &GroupSnapshot) -> String {
    let mut text = group.step.to_string() + &cause(group);
    if let Some(shutdown) = &group.shutdown {
        let _ = write!(text, ": {}", shutdown.took.as_secs());
        if let Some(budget) = shutdown.budget {
            let _ = write!(text, " of {}", budget.as_secs_f64().ceil());
        }
        text += " s";
    }
    match group.step {
        Step::Draining => {
            let _ = write!(text, ", {}", tasks(group.tasks.len()));
        }
        Step::Stopping => text += &waits_for_tasks(group),
        _ => {
            let is_running = |cleanup: &&CleanupInfo| cleanup.state == CleanupState::Running;
            if let Some(cleanup) = group.cleanups.iter().find(is_running) {
                let _ = write!(text, ", waits for cleanup {}", shown(&cleanup.name));
            }
        }
    }
    text
}

/// Describes a shutdown that is over: its cause, its time, and what went wrong.
fn stopped(group: &GroupSnapshot, failures: Option<&[String]>) -> String {
    let mut text = "stopped".to_owned() + &cause(group);
    if let Some(shutdown) = &group.shutdown {
        let _ = write!(text, " in {:.1} s", shutdown.took.as_secs_f64());
    }
    let Some(failures) = failures else { return text };
    let [first, rest @ ..] = failures else { return text + ", clean" };
    let _ = write!(text, ", failed: {first}");
    and_more(&mut text, rest.len());
    text
}

fn cause(group: &GroupSnapshot) -> String {
    group.cause.as_ref().map_or_else(String::new, |cause| format!(" ({})", shown(cause)))
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
