//! A group under the control of the test, in the place of a manager.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_core::{
    Blocker, Context, Group, GroupEvent, GroupSnapshot, Step, TaskId, TaskInfo,
    scope::{GroupView, Level, Scope, Stage, StageCell},
};

/// A group, and the scope of its server.
#[derive(Default)]
pub(crate) struct TestGroup {
    stage: StageCell,
    remaining: Mutex<Option<Duration>>,
    has_panicked: AtomicBool,
    view: Arc<View>,
}

#[derive(Default)]
struct View {
    snapshot: Mutex<GroupSnapshot>,
    events: Mutex<Vec<GroupEvent>>,
    version: Level,
}

impl TestGroup {
    /// Makes a group that runs and is ready.
    pub(crate) fn new() -> Arc<Self> {
        let group = Arc::new(Self::default());
        group.change(|snapshot| {
            snapshot.name = "orders".into();
            snapshot.readiness.has_started = true;
        });
        group
    }

    pub(crate) fn context(self: &Arc<Self>) -> Context {
        Context::new(Arc::clone(self) as Arc<dyn Scope>)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut GroupSnapshot)) {
        change(&mut self.view.snapshot.lock().unwrap());
        self.view.version.bump();
    }

    pub(crate) fn set_events(&self, events: Vec<GroupEvent>) {
        *self.view.events.lock().unwrap() = events;
    }

    /// Returns the group as another one's task runs it.
    pub(crate) fn view(&self) -> Group {
        Group::new(Arc::clone(&self.view) as Arc<dyn GroupView>)
    }

    /// Begins the drain, as a shutdown does.
    pub(crate) fn drain(&self) {
        self.change(|snapshot| {
            snapshot.step = Step::Draining;
            snapshot.readiness.blockers = vec![Blocker::ShuttingDown(Step::Draining)];
        });
        self.stage.advance(Stage::Draining);
    }

    /// Returns whether a panic has left the context, which would be the task's.
    pub(crate) fn has_panicked(&self) -> bool {
        self.has_panicked.load(Ordering::SeqCst)
    }

    /// Cancels the server, with this much time left.
    pub(crate) fn cancel(&self, remaining: Duration) {
        *self.remaining.lock().unwrap() = Some(remaining);
        self.stage.advance(Stage::Cancelled);
    }
}

impl Scope for TestGroup {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn remaining(&self) -> Option<Duration> {
        *self.remaining.lock().unwrap()
    }

    fn enter(self: Arc<Self>, body: &mut dyn FnMut()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
            self.has_panicked.store(true, Ordering::SeqCst);
            resume_unwind(payload);
        }
    }

    fn group(&self) -> Group {
        self.view()
    }
}

impl GroupView for View {
    fn snapshot(&self) -> GroupSnapshot {
        self.snapshot.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<GroupEvent> {
        self.events.lock().unwrap().clone()
    }

    fn version(&self) -> &Level {
        &self.version
    }
}

/// Makes the description of a task, changed by `describe`.
pub(crate) fn task(id: u64, name: &str, describe: impl FnOnce(&mut TaskInfo)) -> TaskInfo {
    let mut task = TaskInfo::new(TaskId::new(id), name.to_owned());
    describe(&mut task);
    task
}
