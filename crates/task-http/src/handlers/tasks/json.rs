//! The group as JSON. Times are in seconds; an unknown value is `null`. Fields may be added in
//! later versions, and are not removed.

use std::{
    fmt::{self, Display, Write},
    time::{Duration, UNIX_EPOCH},
};

use task_core::{GroupEvent, GroupSnapshot, Outcome};

use super::view::{CheckView, Nested, Node, RuntimeView, View};
use crate::{
    health::check::Probe,
    message::escape::{Json, OrNull, separated},
};

mod shutdown;

/// Returns the view as one JSON object.
pub(super) fn write(view: &View<'_>) -> String {
    let mut out = String::with_capacity(1024 + 256 * view.tasks.len());
    // Writing to a string cannot fail.
    let _ = write_view(view, &mut out);
    out
}

/// Writes the fields of the group, and those that no nested group has.
fn write_view(view: &View<'_>, out: &mut String) -> fmt::Result {
    write_group(&view.group, &view.tasks, out)?;
    let instance = view.instance;
    let started = instance.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(out, ",\"instance\":{{\"host\":{}", OrNull(instance.host.as_deref().map(Json)))?;
    write!(out, ",\"pid\":{}", instance.pid)?;
    write!(out, ",\"version\":{}", OrNull(instance.version.as_deref().map(Json)))?;
    write!(out, ",\"started_unix_seconds\":{}}}", Seconds(started))?;
    out.push_str(",\"events\":[");
    separated(out, &view.events, write_event)?;
    out.push_str("],\"checks\":[");
    separated(out, &view.checks, write_check)?;
    let (workers, alive, queued) = (view.workers, view.alive, view.queued);
    write!(out, "],\"runtime\":{{\"workers\":{workers},\"tokio_tasks\":{alive}")?;
    write!(out, ",\"queued\":{queued}}},\"runtimes\":[")?;
    separated(out, &view.runtimes, write_runtime)?;
    out.push_str("]}\n");
    Ok(())
}

/// Writes the fields of a group, by destructuring, so that it is seen here which there are. The
/// object is left open.
fn write_group(group: &GroupSnapshot, nodes: &[Node], out: &mut String) -> fmt::Result {
    let GroupSnapshot { name, step, cause, in_step, remaining, readiness, totals, .. } = group;
    let GroupSnapshot { uptime, exits, signals, cleanups, shutdown, .. } = group;
    write!(out, "{{\"name\":{},\"step\":{}", Json(name), Json(step.as_str()))?;
    write!(out, ",\"uptime_seconds\":{}", Seconds(*uptime))?;
    write!(out, ",\"in_step_seconds\":{}", Seconds(*in_step))?;
    write!(out, ",\"cause\":{}", OrNull(cause.as_deref().map(Json)))?;
    write!(out, ",\"remaining_seconds\":{}", OrNull(remaining.map(Seconds)))?;
    write!(out, ",\"ready\":{},\"started\":{}", readiness.is_ready(), readiness.has_started)?;
    out.push_str(",\"blockers\":[");
    separated(out, &readiness.blockers, |out, blocker| {
        write!(out, "{}", Json(&blocker.to_string()))
    })?;
    write!(out, "],\"totals\":{{\"started\":{}", totals.started)?;
    for outcome in Outcome::ALL {
        write!(out, ",{}:{}", Json(outcome.as_str()), totals.of(outcome))?;
    }
    out.push_str("},\"exits\":[");
    separated(out, exits, |out, exits| {
        write!(out, "{{\"name\":{}", OrNull(exits.name.as_deref().map(Json)))?;
        for outcome in Outcome::ALL {
            write!(out, ",{}:{}", Json(outcome.as_str()), exits.of(outcome))?;
        }
        out.write_char('}')
    })?;
    out.push_str("],\"signals\":{");
    separated(out, signals, |out, signal| write!(out, "{}:{}", Json(&signal.name), signal.count))?;
    out.push_str("},\"tasks\":[");
    separated(out, nodes, write_task)?;
    out.push_str("],\"cleanups\":[");
    separated(out, cleanups, shutdown::write_cleanup)?;
    out.push_str("],\"shutdown\":");
    shutdown::write(out, shutdown.as_ref())
}

/// Writes a living task, with the groups that it runs.
fn write_task(out: &mut String, node: &Node) -> fmt::Result {
    let task = &node.task;
    write!(out, "{{\"id\":{},\"name\":{}", task.id, Json(&task.name))?;
    write!(out, ",\"phase\":{},\"ephemeral\":{}", task.phase.number(), task.is_ephemeral)?;
    write!(out, ",\"state\":{}", Json(task.state.as_str()))?;
    write!(out, ",\"in_state_seconds\":{}", Seconds(task.in_state))?;
    write!(out, ",\"uptime_seconds\":{}", Seconds(task.uptime))?;
    write!(out, ",\"remaining_seconds\":{}", OrNull(task.remaining.map(Seconds)))?;
    let deadline = task.deadline.map(|deadline| Json(deadline.as_str()));
    write!(out, ",\"deadline\":{}", OrNull(deadline))?;
    write!(out, ",\"gates_readiness\":{},\"ready\":{}", task.gates_readiness, task.is_ready)?;
    write!(out, ",\"status\":{}", OrNull(task.status.as_deref().map(Json)))?;
    write!(out, ",\"restarts\":{},\"failures\":{}", task.restarts, task.failures)?;
    write!(out, ",\"children\":{}", task.children)?;
    write!(out, ",\"waiting_seconds\":{}", OrNull(task.waiting.map(Seconds)))?;
    out.push_str(",\"groups\":[");
    separated(out, &node.groups, |out, Nested { group, tasks }| {
        write_group(group, tasks, out)?;
        out.write_char('}')
    })?;
    out.write_str("]}")
}

fn write_event(out: &mut String, event: &GroupEvent) -> fmt::Result {
    write!(out, "{{\"at_seconds\":{},\"failure\":{}", Seconds(event.at), event.is_failure)?;
    write!(out, ",\"text\":{}}}", Json(&event.text))
}

fn write_check(out: &mut String, check: &CheckView<'_>) -> fmt::Result {
    let probe = match check.probe {
        Probe::Live => "livez",
        Probe::Ready => "readyz",
    };
    write!(out, "{{\"name\":{},\"probe\":{}", Json(check.name), Json(probe))?;
    write!(out, ",\"passed\":{}", OrNull(check.passed))?;
    write!(out, ",\"reason\":{}}}", OrNull(check.reason.as_deref().map(Json)))
}

fn write_runtime(out: &mut String, runtime: &RuntimeView<'_>) -> fmt::Result {
    write!(out, "{{\"name\":{}", Json(runtime.name))?;
    write!(out, ",\"stalled_seconds\":{}", OrNull(runtime.stalled.map(Seconds)))?;
    write!(out, ",\"spawn_delay_seconds\":{}", Seconds(runtime.delay))?;
    write!(out, ",\"stalls\":{}}}", runtime.stalls)
}

/// Displays a duration in seconds, to the millisecond.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
