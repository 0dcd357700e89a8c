//! `task_*`: the lifecycle of the group.
//!
//! The number of series is bounded: at most 200 names, critical tasks first; the rest is added up as `other`.

use std::{
    collections::{BTreeMap, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use task_core::{GroupSnapshot, Outcome, Step, TaskId, TaskInfo, TaskState};

use crate::encode::{Encoder, Kind};

/// How many tasks have series of their own.
const NAMES: usize = 200;
/// How many bytes of a name make it into a label.
const NAME_BYTES: usize = 64;
const OTHER: &str = "other";

/// When each task was started, as it was first computed: computed anew each time it would wander by the clock's
/// corrections.
pub(super) type StartTimes = HashMap<TaskId, f64>;

pub(super) fn encode(snapshot: &GroupSnapshot, starts: &mut StartTimes, encoder: &mut Encoder<'_>) {
    encode_manager(snapshot, encoder);
    encode_totals(snapshot, encoder);
    encode_tasks(&by_label(snapshot, starts), encoder);
}

fn encode_manager(snapshot: &GroupSnapshot, encoder: &mut Encoder<'_>) {
    let mut family = encoder.family(
        "task_manager_state",
        Kind::Gauge,
        "Which step the manager is in: 1 for one.",
    );
    let steps = [
        (Step::Running, "running"),
        (Step::Draining, "draining"),
        (Step::Stopping, "stopping"),
        (Step::CleaningUp, "cleanup"),
        (Step::Ended, "ended"),
    ];
    for (step, state) in steps {
        family.sample(&[("state", state)], step == snapshot.step);
    }
    let help = "Whether the group is ready for traffic.";
    encoder
        .family("task_manager_ready", Kind::Gauge, help)
        .sample(&[], snapshot.readiness.is_ready());
    let help = "Whether the group has ever been ready.";
    encoder
        .family("task_manager_started", Kind::Gauge, help)
        .sample(&[], snapshot.readiness.has_started);
    if let Some(remaining) = snapshot.remaining {
        let help = "Time left until the end of the whole shutdown, once it has begun and if it has a limit.";
        let mut family =
            encoder.family("task_manager_shutdown_remaining_seconds", Kind::Gauge, help);
        family.sample(&[], remaining.as_secs_f64());
    }
}

fn encode_totals(snapshot: &GroupSnapshot, encoder: &mut Encoder<'_>) {
    let help = "Tasks that are alive.";
    encoder.family("task_alive", Kind::Gauge, help).sample(&[], snapshot.tasks.len());
    let help = "Tasks that were admitted.";
    encoder.family("task_starts", Kind::Counter, help).sample(&[], snapshot.totals.started);
    let mut family =
        encoder.family("task_exits", Kind::Counter, "Tasks that ended, by how they did.");
    let outcomes = [
        Outcome::Completed,
        Outcome::Cancelled,
        Outcome::Failed,
        Outcome::Panicked,
        Outcome::Aborted,
        Outcome::Abandoned,
    ];
    for outcome in outcomes {
        family.sample(&[("outcome", outcome.as_str())], snapshot.totals.of(outcome));
    }
}

/// All tasks of one label: one, unless it is `other` or a name that was cut.
#[derive(Default)]
struct Labelled {
    running: u64,
    /// Of those that gate readiness, or said that they are ready.
    ready: Option<u64>,
    restarts: u64,
    failures: u64,
    start: Option<f64>,
}

fn encode_tasks(labelled: &BTreeMap<&str, Labelled>, encoder: &mut Encoder<'_>) {
    let mut family = encoder.family(
        "task_running",
        Kind::Gauge,
        "Whether a task is at work and not asked to stop.",
    );
    for (label, tasks) in labelled {
        family.sample(&[("task", label)], tasks.running);
    }
    let help =
        "Whether a task says that it is ready: all that gate readiness, and others while they do.";
    let mut family = encoder.family("task_ready", Kind::Gauge, help);
    for (label, tasks) in labelled {
        if let Some(ready) = tasks.ready {
            family.sample(&[("task", label)], ready);
        }
    }
    let mut family =
        encoder.family("task_restarts", Kind::Counter, "How often a task was run again.");
    for (label, tasks) in labelled {
        family.sample(&[("task", label)], tasks.restarts);
    }
    let mut family =
        encoder.family("task_failures", Kind::Counter, "Failures that a task survived.");
    for (label, tasks) in labelled {
        family.sample(&[("task", label)], tasks.failures);
    }
    let help = "When a task was started, in seconds since 1970.";
    let mut family = encoder.family("task_start_time_seconds", Kind::Gauge, help);
    for (label, tasks) in labelled {
        if let Some(start) = tasks.start {
            family.sample(&[("task", label)], start);
        }
    }
}

fn by_label<'a>(
    snapshot: &'a GroupSnapshot,
    starts: &mut StartTimes,
) -> BTreeMap<&'a str, Labelled> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut tasks: Vec<&TaskInfo> = snapshot.tasks.iter().collect();
    // Stable, and critical tasks before ephemeral ones, which come and go.
    tasks.sort_by_key(|task| task.is_ephemeral);

    let mut labelled = BTreeMap::<&str, Labelled>::new();
    let mut known = StartTimes::new();
    for (index, task) in tasks.into_iter().enumerate() {
        let label = if index < NAMES { cut(&task.name) } else { OTHER };
        let of_label = labelled.entry(label).or_default();
        of_label.running += u64::from(task.state == TaskState::Running);
        if task.gates_readiness || task.is_ready {
            *of_label.ready.get_or_insert_default() += u64::from(task.is_ready);
        }
        of_label.restarts += u64::from(task.restarts);
        of_label.failures += u64::from(task.failures);
        if index < NAMES {
            let computed = || now.saturating_sub(task.uptime).as_millis() as f64 / 1000.0;
            let start = *known
                .entry(task.id)
                .or_insert_with(|| starts.get(&task.id).copied().unwrap_or_else(computed));
            of_label.start.get_or_insert(start);
        }
    }
    *starts = known;
    labelled
}

fn cut(name: &str) -> &str {
    let ends = |end: &usize| name.is_char_boundary(*end);
    // `floor_char_boundary` is newer than our MSRV.
    (0..=NAME_BYTES.min(name.len())).rev().find(ends).map_or(name, |end| &name[..end])
}
