//! The task table as log lines.

use task_core::{
    GroupSnapshot, TaskInfo,
    scope::{guarded_name, guarded_text},
};
use tracing::info;

use crate::values::Received;

/// The most tasks that a dump lists.
const LISTED: usize = 1_000;

/// Logs one line about the group and one per task.
pub(crate) fn dump(received: &Received, group: &GroupSnapshot) {
    info!(
        target: "task_signal",
        signal = %received.signal,
        sender_pid = received.sender,
        group = guarded_name(&group.name),
        step = group.step.as_str(),
        in_step_ms = millis(group.in_step),
        remaining_ms = group.remaining.map(millis),
        cause = group.cause.as_deref().map(guarded_text),
        ready = group.readiness.is_ready(),
        tasks = group.tasks.len(),
        started = group.totals.started,
        "received {received}: {} tasks",
        group.tasks.len()
    );
    group.tasks.iter().take(LISTED).for_each(write_task);
}

fn write_task(task: &TaskInfo) {
    let name = guarded_name(&task.name);
    info!(
        target: "task_signal",
        task = &*name,
        id = task.id.number(),
        phase = task.phase.number(),
        state = task.state.as_str(),
        in_state_ms = millis(task.in_state),
        uptime_ms = millis(task.uptime),
        ephemeral = task.is_ephemeral,
        gates_readiness = task.gates_readiness,
        ready = task.is_ready,
        restarts = task.restarts,
        failures = task.failures,
        status = task.status.as_deref().map(guarded_name),
        "task `{name}` is {}",
        task.state
    );
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
