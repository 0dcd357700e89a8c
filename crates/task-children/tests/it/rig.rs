//! What the tests run a task in.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use task_core::{
    Context, Panic, Task,
    scope::{ChildrenView, Scope, Stage, StageCell},
    task_fn,
};
use task_manager::{Manager, Report};

/// A context without a manager, and what is recorded in it.
#[derive(Default)]
pub(crate) struct Rig {
    pub(crate) stage: StageCell,
    pub(crate) holds: AtomicUsize,
    pub(crate) recorded: Mutex<Vec<String>>,
    pub(crate) counted: AtomicUsize,
    pub(crate) children: Mutex<Vec<Weak<dyn ChildrenView>>>,
}

impl Rig {
    pub(crate) fn new() -> (Arc<Self>, Context) {
        let rig = Arc::new(Self::default());
        (Arc::clone(&rig), Context::new(rig))
    }

    pub(crate) fn stop(&self) {
        self.stage.advance(Stage::Draining);
        self.stage.advance(Stage::Cancelled);
    }

    pub(crate) fn holds(&self) -> usize {
        self.holds.load(Ordering::SeqCst)
    }

    pub(crate) fn recorded(&self) -> Vec<String> {
        self.recorded.lock().unwrap().clone()
    }
}

impl Scope for Rig {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn add_hold(&self) {
        self.holds.fetch_add(1, Ordering::SeqCst);
    }

    fn release_hold(self: Arc<Self>) {
        self.holds.fetch_sub(1, Ordering::SeqCst);
    }

    fn record_failure(&self, error: anyhow::Error) {
        self.recorded.lock().unwrap().push(format!("{error:#}"));
    }

    fn record_panic(&self, panic: Panic) {
        self.recorded.lock().unwrap().push(panic.message);
    }

    fn add_children(&self, children: Weak<dyn ChildrenView>) {
        self.children.lock().unwrap().push(children);
    }

    fn count_failure(&self) {
        self.counted.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs one task in a manager until its group has ended, and returns the report.
pub(crate) async fn report_of<F, Fut>(body: F) -> Report
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    report_of_task(task_fn("server", body)).await
}

pub(crate) async fn report_of_task(task: impl Task) -> Report {
    let manager =
        Manager::builder().name("service").shutdown_timeout(Duration::from_secs(10)).build();
    let manager = manager.unwrap();
    manager.run(task).unwrap();
    match manager.wait().await {
        Ok(report) => report,
        Err(error) => error.report().unwrap().clone(),
    }
}

/// Returns the failures of a report as text.
pub(crate) fn failures(report: &Report) -> Vec<String> {
    report.failures().iter().map(ToString::to_string).collect()
}

/// Counts how many of it are alive.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn one(&self) -> AliveOne {
        self.0.fetch_add(1, Ordering::SeqCst);
        AliveOne(self.clone())
    }
}

pub(crate) struct AliveOne(Alive);

impl Drop for AliveOne {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
