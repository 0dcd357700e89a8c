//! The shutdown, the tasks that ended in it and the cleanups, as JSON. A field `..._at_seconds`
//! counts from the creation of the manager.

use std::{
    fmt::{self, Write},
    time::UNIX_EPOCH,
};

use task_core::{CleanupInfo, ShutdownInfo, TaskReport};

use super::Seconds;
use crate::message::escape::{Json, OrNull, separated};

/// Writes the shutdown; `null` before its trigger.
pub(super) fn write(out: &mut String, shutdown: Option<&ShutdownInfo>) -> fmt::Result {
    let Some(shutdown) = shutdown else { return out.write_str("null") };
    let began = shutdown.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(out, "{{\"began_unix_seconds\":{}", Seconds(began))?;
    write!(out, ",\"began_at_seconds\":{}", Seconds(shutdown.began_at))?;
    write!(out, ",\"took_seconds\":{}", Seconds(shutdown.took))?;
    write!(out, ",\"budget_seconds\":{}", OrNull(shutdown.budget.map(Seconds)))?;
    out.push_str(",\"ended\":[");
    separated(out, &shutdown.ended, write_ended)?;
    write!(out, "],\"omitted\":{}}}", shutdown.omitted)
}

/// Writes a task that ended during the shutdown.
fn write_ended(out: &mut String, task: &TaskReport) -> fmt::Result {
    write!(out, "{{\"id\":{},\"name\":{}", task.id, Json(&task.name))?;
    write!(out, ",\"phase\":{}", task.phase.number())?;
    write!(out, ",\"outcome\":{}", Json(task.outcome.as_str()))?;
    write!(out, ",\"ended_at_seconds\":{}", Seconds(task.ended_at))?;
    write!(out, ",\"ran_seconds\":{}", Seconds(task.ran))?;
    write!(out, ",\"stop_took_seconds\":{}", OrNull(task.stop_took.map(Seconds)))?;
    write!(out, ",\"status\":{}}}", OrNull(task.status.as_deref().map(Json)))
}

/// Writes a cleanup, whether it has begun or not.
pub(super) fn write_cleanup(out: &mut String, cleanup: &CleanupInfo) -> fmt::Result {
    write!(out, "{{\"name\":{}", Json(&cleanup.name))?;
    write!(out, ",\"state\":{}", Json(cleanup.state.as_str()))?;
    write!(out, ",\"began_at_seconds\":{}", OrNull(cleanup.began_at.map(Seconds)))?;
    write!(out, ",\"took_seconds\":{}", Seconds(cleanup.took))?;
    write!(out, ",\"remaining_seconds\":{}}}", OrNull(cleanup.remaining.map(Seconds)))
}
