//! The group as JSON. Times are in seconds; an unknown value is `null`. Fields may be added in
//! later versions, and are not removed.

use std::{
    fmt::{self, Display, Write},
    time::Duration,
};

use task_core::{GroupSnapshot, Outcome, TaskInfo};

use crate::message::escape::{Json, OrNull, separated};

mod shutdown;

/// Returns the snapshot as one JSON object.
pub(super) fn write(snapshot: &GroupSnapshot) -> String {
    let mut out = String::with_capacity(512 + 256 * snapshot.tasks.len());
    // Writing to a string cannot fail.
    let _ = write_group(snapshot, &mut out);
    out
}

/// Writes all fields, by destructuring, so that it is seen here which fields there are.
fn write_group(snapshot: &GroupSnapshot, out: &mut String) -> fmt::Result {
    let GroupSnapshot { name, step, cause, in_step, remaining, readiness, tasks, totals, .. } =
        snapshot;
    let GroupSnapshot { uptime, exits, signals, cleanups, shutdown, .. } = snapshot;
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
    separated(out, tasks, write_task)?;
    out.push_str("],\"cleanups\":[");
    separated(out, cleanups, shutdown::write_cleanup)?;
    out.push_str("],\"shutdown\":");
    shutdown::write(out, shutdown.as_ref())?;
    out.push_str("}\n");
    Ok(())
}

/// Writes a living task.
fn write_task(out: &mut String, task: &TaskInfo) -> fmt::Result {
    write!(out, "{{\"id\":{},\"name\":{}", task.id, Json(&task.name))?;
    write!(out, ",\"phase\":{},\"ephemeral\":{}", task.phase.number(), task.is_ephemeral)?;
    write!(out, ",\"state\":{}", Json(task.state.as_str()))?;
    write!(out, ",\"in_state_seconds\":{}", Seconds(task.in_state))?;
    write!(out, ",\"uptime_seconds\":{}", Seconds(task.uptime))?;
    write!(out, ",\"remaining_seconds\":{}", OrNull(task.remaining.map(Seconds)))?;
    write!(out, ",\"gates_readiness\":{},\"ready\":{}", task.gates_readiness, task.is_ready)?;
    write!(out, ",\"status\":{}", OrNull(task.status.as_deref().map(Json)))?;
    write!(out, ",\"restarts\":{},\"failures\":{}", task.restarts, task.failures)?;
    write!(out, ",\"waiting_seconds\":{}}}", OrNull(task.waiting.map(Seconds)))
}

/// Displays a duration in seconds, to the millisecond.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
