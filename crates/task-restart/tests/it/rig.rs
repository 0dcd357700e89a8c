//! A scope that stands in for a manager and records what the task reports, on a paused clock.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    BoxTask, Context, Panic, Task,
    scope::{Scope, Stage, StageCell},
    task_fn,
};
use tokio::time::{Instant, sleep, timeout};

/// Longer than any test, in virtual time.
const LONGEST_TEST: Duration = Duration::from_secs(400 * 24 * 3600);

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The scope of a task under test, and the begins of its runs.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) scope: Arc<TestScope>,
    born: Instant,
    starts: Arc<Mutex<Vec<u64>>>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { scope: Arc::default(), born: Instant::now(), starts: Arc::default() }
    }

    pub(crate) fn ctx(&self) -> Context {
        Context::new(self.scope.clone())
    }

    pub(crate) fn cancel(&self) {
        self.scope.stage.advance(Stage::Cancelled);
    }

    /// Milliseconds since the test began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap()
    }

    /// Returns a factory of tasks that mark their begin and then do what `work` does with the
    /// run's number, starting at 1.
    pub(crate) fn runs<W, Fut>(
        &self,
        work: W,
    ) -> impl FnMut() -> anyhow::Result<BoxTask> + Send + 'static
    where
        W: Fn(Context, usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let rig = self.clone();
        move || {
            let (rig, work) = (rig.clone(), work.clone());
            let run = move |ctx| {
                let number = rig.mark();
                work(ctx, number)
            };
            Ok(task_fn("worker", run).boxed())
        }
    }

    /// Records that a run begins now. Returns its number, starting at 1.
    pub(crate) fn mark(&self) -> usize {
        let mut starts = self.starts.lock().unwrap();
        starts.push(self.now());
        starts.len()
    }

    /// When the runs began, in milliseconds.
    pub(crate) fn starts(&self) -> Vec<u64> {
        self.starts.lock().unwrap().clone()
    }

    /// Runs the task until it ends by itself.
    pub(crate) async fn run(&self, task: impl Task) -> anyhow::Result<()> {
        timeout(LONGEST_TEST, task.run(self.ctx())).await.expect("the task ends by itself")
    }

    /// Runs the task, stops it after `life`, and returns its result.
    pub(crate) async fn run_for(&self, life: Duration, task: impl Task) -> anyhow::Result<()> {
        let stop = async {
            sleep(life).await;
            self.cancel();
        };
        tokio::join!(self.run(task.boxed()), stop).0
    }

    /// Removes and returns what the task has reported so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.scope.calls.lock().unwrap())
    }

    /// Returns what is reported of one kind, in order.
    pub(crate) fn reported(&self, kind: &str) -> Vec<String> {
        let calls = self.scope.calls.lock().unwrap();
        calls.iter().filter_map(|call| call.strip_prefix(kind)).map(str::to_owned).collect()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.reported("ready ").last().is_some_and(|ready| ready == "true")
    }
}

#[derive(Default)]
pub(crate) struct TestScope {
    pub(crate) stage: StageCell,
    calls: Mutex<Vec<String>>,
    holds: Mutex<i64>,
    pub(crate) remaining: Mutex<Option<Duration>>,
}

impl TestScope {
    pub(crate) fn holds(&self) -> i64 {
        *self.holds.lock().unwrap()
    }

    fn push(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Scope for TestScope {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn remaining(&self) -> Option<Duration> {
        *self.remaining.lock().unwrap()
    }

    fn set_ready(&self, ready: bool) {
        self.push(format!("ready {ready}"));
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.push(format!("status {status}"));
    }

    fn add_hold(&self) {
        *self.holds.lock().unwrap() += 1;
    }

    fn release_hold(self: Arc<Self>) {
        *self.holds.lock().unwrap() -= 1;
    }

    fn record_failure(&self, error: anyhow::Error) {
        self.push(format!("failure {error:#}"));
    }

    fn record_panic(&self, panic: Panic) {
        self.push(format!("panic {}", panic.message));
    }

    fn fail_by_panic(self: Arc<Self>, panic: Panic) {
        self.push(format!("failed by panic {}", panic.message));
    }

    fn count_failure(&self) {
        self.push("count".into());
    }

    fn record_restart(&self) {
        self.push("restart".into());
    }

    fn record_wait(&self, wait: Option<Duration>) {
        self.push(format!("wait {wait:?}"));
    }
}
