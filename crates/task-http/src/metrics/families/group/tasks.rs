//! `task_*{task}`: the families with a series for each task name.
//!
//! The number of series is bounded. At most 200 names have series of their own: those of living
//! critical tasks first, then those of tasks that have ended, then those of living ephemeral tasks.
//! The others are summed up as `other`.

use std::collections::HashMap;

use task_core::{GroupSnapshot, Outcome, TaskId, TaskInfo, TaskState};

use super::{labels::Labels, outcomes, unix_time};
use crate::metrics::encode::{Encoder, Kind};

/// The start time of each living task, as it was first computed. Computed again for each scrape, it
/// would vary with the corrections of the wall clock.
pub(in super::super) type StartTimes = HashMap<TaskId, f64>;

/// All tasks of one label.
#[derive(Default)]
struct Row {
    running: u64,
    /// Of the tasks that gate readiness or are ready.
    ready: Option<u64>,
    restarts: u64,
    failures: u64,
    /// Of the one that waits longest, where a task was ever run again.
    waiting: Option<f64>,
    /// Of the first task that is alive.
    start: Option<f64>,
    exits: [u64; Outcome::ALL.len()],
    /// Of the task that has been stopping longest, in seconds.
    stopping: Option<f64>,
    /// Of the last task that was stopped, in seconds.
    stop: Option<f64>,
}

/// Writes the families, each with the rows that have a value for it.
pub(super) fn encode(snapshot: &GroupSnapshot, starts: &mut StartTimes, encoder: &mut Encoder<'_>) {
    let rows = rows(snapshot, starts);
    let mut gauge = |name, help, value: fn(&Row) -> Option<u64>| {
        let mut family = encoder.family(name, Kind::Gauge, help);
        for (label, row) in &rows {
            if let Some(value) = value(row) {
                family.sample(&[("task", label)], value);
            }
        }
    };
    let help = "Running tasks, which were not asked to stop.";
    gauge("task_running", help, |row| Some(row.running));
    let help = "Ready tasks, of those that gate readiness or have set themselves ready.";
    gauge("task_ready", help, |row| row.ready);

    // Gauges and not counters, since the sum of a name decreases when one of its tasks ends.
    let help = "Restarts of the living tasks.";
    gauge("task_restarts", help, |row| row.is_alive().then_some(row.restarts));
    let help = "Failures that the living tasks survived.";
    gauge("task_failures", help, |row| row.is_alive().then_some(row.failures));

    let help = "Tasks that have ended, by outcome.";
    let mut family = encoder.family("task_exits", Kind::Counter, help);
    for (label, row) in &rows {
        for ((_, outcome), count) in outcomes().zip(row.exits) {
            family.sample(&[("task", label), ("outcome", outcome)], count);
        }
    }

    let mut seconds = |name, help, value: fn(&Row) -> Option<f64>| {
        let mut family = encoder.family(name, Kind::Gauge, help);
        for (label, row) in &rows {
            if let Some(value) = value(row) {
                family.sample(&[("task", label)], value);
            }
        }
    };
    let help = "Start time of the task since the Unix epoch.";
    seconds("task_start_time_seconds", help, |row| row.start);
    let help = "Time until the task works again after a failure, of the one that waits longest.";
    seconds("task_restart_wait_seconds", help, |row| row.waiting);
    let help = "Time since a task was asked to stop that has not ended, of the longest.";
    seconds("task_stopping_seconds", help, |row| row.stopping);
    let help = "Time from the stop of a task to its end, of the last one in this shutdown.";
    seconds("task_stop_duration_seconds", help, |row| row.stop);
}

impl Row {
    /// Returns whether a task with this label is alive.
    fn is_alive(&self) -> bool {
        self.start.is_some()
    }
}

/// Collects the rows in the order in which names get series of their own, and updates `starts` to
/// the living tasks, so that it does not grow with tasks that have ended.
fn rows<'a>(snapshot: &'a GroupSnapshot, starts: &mut StartTimes) -> Vec<(&'a str, Row)> {
    let mut labels = Labels::<Row>::new();
    let mut known = StartTimes::new();
    let mut living = |labels: &mut Labels<'a, Row>, is_ephemeral: bool| {
        for task in snapshot.tasks.iter().filter(|task| task.is_ephemeral == is_ephemeral) {
            let row = labels.entry(&task.name);
            add(row, task);
            row.start.get_or_insert_with(|| {
                let start = starts.get(&task.id).copied().unwrap_or_else(|| unix_time(task.uptime));
                known.insert(task.id, start);
                start
            });
        }
    };
    living(&mut labels, false);
    for exits in &snapshot.exits {
        let row = match &exits.name {
            Some(name) => labels.entry(name),
            None => labels.other(),
        };
        for (count, (outcome, _)) in row.exits.iter_mut().zip(outcomes()) {
            *count += exits.of(outcome);
        }
    }
    living(&mut labels, true);
    for ended in snapshot.shutdown.iter().flat_map(|shutdown| &shutdown.ended) {
        if let Some(took) = ended.stop_took {
            labels.entry(&ended.name).stop = Some(took.as_secs_f64());
        }
    }
    *starts = known;
    labels.sorted()
}

/// Adds a living task to its row.
fn add(row: &mut Row, task: &TaskInfo) {
    row.running += u64::from(task.state == TaskState::Running);
    if task.state != TaskState::Running {
        let stopping = task.in_state.as_secs_f64();
        row.stopping = Some(row.stopping.unwrap_or_default().max(stopping));
    }
    if task.gates_readiness || task.is_ready {
        *row.ready.get_or_insert_default() += u64::from(task.is_ready);
    }
    row.restarts += u64::from(task.restarts);
    row.failures += u64::from(task.failures);
    if task.waiting.is_some() || task.restarts > 0 {
        let waiting = task.waiting.unwrap_or_default().as_secs_f64();
        row.waiting = Some(row.waiting.unwrap_or_default().max(waiting));
    }
}
