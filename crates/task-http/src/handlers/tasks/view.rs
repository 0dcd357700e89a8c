//! What `/tasks` shows: the group with those nested in it, its events, the health and the process.

use std::{borrow::Cow, time::Duration};

use task_core::{Group, GroupEvent, GroupSnapshot, TaskInfo, TaskState};
use tokio::runtime::Handle;

use super::Instance;
use crate::health::{Health, check::Probe};

/// How many levels of nested groups are shown.
const MAX_DEPTH: usize = 16;

/// What is shown, at one instant.
pub(super) struct View<'a> {
    pub(super) instance: &'a Instance,
    pub(super) group: GroupSnapshot,
    /// The living tasks of the group, with the groups that they run.
    pub(super) tasks: Vec<Node>,
    /// What happened, oldest first.
    pub(super) events: Vec<GroupEvent>,
    pub(super) checks: Vec<CheckView<'a>>,
    pub(super) runtimes: Vec<RuntimeView<'a>>,
    /// Of the server's own runtime.
    pub(super) workers: usize,
    pub(super) alive: usize,
    pub(super) queued: usize,
}

/// A living task, with the groups that it runs.
pub(super) struct Node {
    pub(super) task: TaskInfo,
    pub(super) groups: Vec<Nested>,
}

/// A nested group.
pub(super) struct Nested {
    pub(super) group: GroupSnapshot,
    pub(super) tasks: Vec<Node>,
}

/// The last result of a check.
pub(super) struct CheckView<'a> {
    pub(super) name: &'a str,
    pub(super) probe: Probe,
    pub(super) passed: Option<bool>,
    /// Why it did not pass.
    pub(super) reason: Option<Cow<'static, str>>,
}

/// What the heartbeat measures.
pub(super) struct RuntimeView<'a> {
    pub(super) name: &'a str,
    /// How long no spawned task has run, if that is too long.
    pub(super) stalled: Option<Duration>,
    pub(super) delay: Duration,
    pub(super) stalls: u64,
}

impl<'a> View<'a> {
    /// Looks at everything, within the server's runtime.
    pub(super) fn of(group: &Group, health: &'a Health, instance: &'a Instance) -> Self {
        let mut snapshot = health.snapshot_of(group);
        let tasks = nodes(&mut snapshot, MAX_DEPTH);
        let checks = health.checks.iter().map(|check| {
            let last = check.last();
            let reason = last.as_ref().and_then(|last| last.reason(health.reveals_reasons));
            let passed = last.map(|_| reason.is_none());
            CheckView { name: &check.name, probe: check.probe, passed, reason }
        });
        let runtimes = health.monitors.iter().map(|monitor| {
            let (delay, stalls) = monitor.figures();
            RuntimeView { name: &monitor.name, stalled: monitor.stalled(), delay, stalls }
        });
        let metrics = Handle::current().metrics();
        Self {
            instance,
            tasks,
            // Last, so that no event is missing of what the snapshot shows.
            events: group.events(),
            group: snapshot,
            checks: checks.collect(),
            runtimes: runtimes.collect(),
            workers: metrics.num_workers(),
            alive: metrics.num_alive_tasks(),
            queued: metrics.global_queue_depth(),
        }
    }
}

impl Node {
    /// Returns whether a person should look at the task, or at one in a group that it runs: it is
    /// being stopped, is not ready though readiness waits for it, or pauses after a failure.
    pub(super) fn needs_attention(&self) -> bool {
        let task = &self.task;
        task.state != TaskState::Running
            || task.gates_readiness && !task.is_ready
            || task.waiting.is_some()
            || self.groups.iter().flat_map(|nested| &nested.tasks).any(Self::needs_attention)
    }
}

/// Takes the tasks out of a snapshot, and looks at the groups that they run.
fn nodes(group: &mut GroupSnapshot, depth: usize) -> Vec<Node> {
    let tasks = std::mem::take(&mut group.tasks);
    let node = |mut task: TaskInfo| {
        let groups = std::mem::take(&mut task.groups);
        let groups = groups.iter().take(if depth == 0 { 0 } else { groups.len() });
        let groups = groups.map(|group| {
            let mut group = group.snapshot();
            Nested { tasks: nodes(&mut group, depth - 1), group }
        });
        Node { groups: groups.collect(), task }
    };
    tasks.into_iter().map(node).collect()
}
