//! `task_*{task}`: what each task does, and how those ended that were called so.
//!
//! The number of series is bounded: at most 200 names, those of living critical tasks first, then those of tasks that
//! have ended, then those of living ephemeral ones; the rest is added up as `other`.

use std::collections::HashMap;

use task_core::{GroupSnapshot, Outcome, TaskId, TaskInfo, TaskState};

use super::{labels::Labels, outcomes, unix_time};
use crate::metrics::encode::{Encoder, Kind};

/// When each task was started, as it was first computed: computed anew each time it would wander by the clock's
/// corrections.
pub(in super::super) type StartTimes = HashMap<TaskId, f64>;

/// All tasks of one label.
#[derive(Default)]
struct Row {
    running: u64,
    /// Of those that gate readiness, or said that they are ready.
    ready: Option<u64>,
    restarts: u64,
    failures: u64,
    /// Of the first one that is alive.
    start: Option<f64>,
    exits: [u64; Outcome::ALL.len()],
    /// Of the last one that was stopped, in seconds.
    stop: Option<f64>,
}

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
    let help = "Whether a task is at work and not asked to stop.";
    gauge("task_running", help, |row| Some(row.running));
    let help =
        "Whether a task says that it is ready: all that gate readiness, and others while they do.";
    gauge("task_ready", help, |row| row.ready);

    // No counters: what a task that has ended adds to its name's sum is gone with it.
    let help = "How often the living tasks of a name were run again.";
    gauge("task_restarts", help, |row| row.is_alive().then_some(row.restarts));
    let help = "Failures that the living tasks of a name survived.";
    gauge("task_failures", help, |row| row.is_alive().then_some(row.failures));

    let help = "Tasks that ended, by how they did.";
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
    let help = "When a task was started, in seconds since 1970.";
    seconds("task_start_time_seconds", help, |row| row.start);
    let help = "Time from asking a task to stop to its end, of the last one in this shutdown.";
    seconds("task_stop_duration_seconds", help, |row| row.stop);
}

impl Row {
    fn is_alive(&self) -> bool {
        self.start.is_some()
    }
}

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

fn add(row: &mut Row, task: &TaskInfo) {
    row.running += u64::from(task.state == TaskState::Running);
    if task.gates_readiness || task.is_ready {
        *row.ready.get_or_insert_default() += u64::from(task.is_ready);
    }
    row.restarts += u64::from(task.restarts);
    row.failures += u64::from(task.failures);
}
