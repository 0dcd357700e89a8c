//! The child's side: a group of one task that says aloud what is asked of it.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use task_core::{
    Context, Escalation, Group, GroupSnapshot, Step, TaskId, TaskInfo,
    scope::{GroupView, Level, Scope, Stage, StageCell},
};

use crate::scenario::say;

/// A scope and its group, in the place of a manager.
#[derive(Default)]
pub(crate) struct Loud {
    stage: StageCell,
    version: Level,
    step: Mutex<Step>,
    status: Mutex<Option<Arc<str>>>,
    /// Whether a request to stop blocks its caller for good, which no manager's does.
    pub(crate) is_stuck: AtomicBool,
}

/// The view, which is the same thing behind another `Arc`.
struct View(Arc<Loud>);

/// A context needs the scope itself to hand out its group.
struct Member(Arc<Loud>);

impl Loud {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub(crate) fn context(self: &Arc<Self>) -> Context {
        Context::new(Arc::new(Member(Arc::clone(self))))
    }

    /// Stops the task.
    pub(crate) fn cancel(&self) {
        self.stage.advance(Stage::Cancelled);
    }

    /// Begins the drain of the task.
    pub(crate) fn drain(&self) {
        self.stage.advance(Stage::Draining);
    }

    /// Goes to a step of the shutdown, and wakes who watches.
    pub(crate) fn go_to(&self, step: Step) {
        self.go_quietly_to(step);
        self.version.bump();
    }

    /// Goes to a step of the shutdown, and wakes nobody.
    pub(crate) fn go_quietly_to(&self, step: Step) {
        *self.step.lock().unwrap() = step;
    }

    pub(crate) fn status(&self) -> Option<Arc<str>> {
        self.status.lock().unwrap().clone()
    }
}

impl Scope for Member {
    fn stage(&self) -> &StageCell {
        &self.0.stage
    }

    fn set_status(&self, status: Cow<'static, str>) {
        say(&format!("status: {status}"));
        *self.0.status.lock().unwrap() = Some(status.into());
    }

    fn request_stop(&self, reason: Cow<'static, str>) {
        say(&format!("request_stop: {reason}"));
        let mut step = self.0.step.lock().unwrap();
        *step = Step::Draining.max(*step);
        drop(step);
        while self.0.is_stuck.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }

    fn escalate(&self, level: Escalation) {
        say(&format!("escalate: {level:?}"));
    }

    fn add_hold(&self) {
        say("hold");
    }

    fn release_hold(self: Arc<Self>) {
        say("release");
    }

    fn record_failure(&self, error: anyhow::Error) {
        say(&format!("failure: {error:#}"));
    }

    fn record_signal(&self, name: Cow<'static, str>, count: u64) {
        say(&format!("recorded {name}: {count}"));
    }

    fn group(&self) -> Group {
        Group::new(Arc::new(View(Arc::clone(&self.0))))
    }
}

impl GroupView for View {
    fn snapshot(&self) -> GroupSnapshot {
        let mut task = TaskInfo::new(TaskId::new(1), "loud");
        task.status = self.0.status();
        let mut snapshot = GroupSnapshot::default();
        snapshot.name = Cow::Borrowed("test");
        snapshot.step = *self.0.step.lock().unwrap();
        snapshot.tasks.push(task);
        snapshot.totals.started = 1;
        snapshot
    }

    fn version(&self) -> &Level {
        &self.0.version
    }

    fn step(&self) -> Step {
        *self.0.step.lock().unwrap()
    }
}
