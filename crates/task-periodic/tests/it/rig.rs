//! A scope that stands in for a manager and records what the task reports, on a paused clock.
//!
//! A test that holds the future of a task with an async closure itself (`pin!`, `join!`) boxes the
//! task: without that, rustc 1.95 crashes on it now and then in incremental builds.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use task_core::{
    Context, Task,
    scope::{Scope, Stage, StageCell},
};
use tokio::{
    task::consume_budget,
    time::{Instant, advance, sleep, timeout},
};

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
    scope: Arc<TestScope>,
    born: Instant,
    starts: Arc<Mutex<Vec<u64>>>,
    _watchdog: Arc<Watchdog>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self {
            scope: Arc::default(),
            born: Instant::now(),
            starts: Arc::default(),
            _watchdog: Arc::new(Watchdog::new()),
        }
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

    /// Records that a run begins now; called by actions. Returns its index, starting at 0.
    pub(crate) fn mark(&self) -> usize {
        let mut starts = self.starts.lock().unwrap();
        starts.push(self.now());
        starts.len() - 1
    }

    /// When the runs began, in milliseconds.
    pub(crate) fn starts(&self) -> Vec<u64> {
        self.starts.lock().unwrap().clone()
    }

    /// Works without ever being idle: each poll uses up Tokio's cooperative budget. A second task
    /// advances the paused clock, which advances by itself only while all tasks are idle.
    pub(crate) async fn work_for(&self, work: Duration) {
        let passing = tokio::spawn(async {
            loop {
                advance(ms(10)).await;
            }
        });
        let end = Instant::now() + work;
        while Instant::now() < end {
            consume_budget().await;
        }
        passing.abort();
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
        tokio::join!(self.run(task), stop).0
    }

    pub(crate) fn statuses(&self) -> Vec<String> {
        self.scope.statuses.lock().unwrap().clone()
    }

    pub(crate) fn last_status(&self) -> String {
        self.statuses().pop().expect("the task has set a status")
    }

    pub(crate) fn readiness(&self) -> Vec<bool> {
        self.scope.readiness.lock().unwrap().clone()
    }

    pub(crate) fn recorded_failures(&self) -> usize {
        self.scope.failures.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct TestScope {
    stage: StageCell,
    statuses: Mutex<Vec<String>>,
    readiness: Mutex<Vec<bool>>,
    failures: AtomicUsize,
}

impl Scope for TestScope {
    fn stage(&self) -> &StageCell {
        &self.stage
    }

    fn set_ready(&self, ready: bool) {
        self.readiness.lock().unwrap().push(ready);
    }

    fn set_status(&self, status: Cow<'static, str>) {
        self.statuses.lock().unwrap().push(status.into_owned());
    }

    fn record_failure(&self, _error: anyhow::Error) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }
}

/// Ends the process if a test takes too long in real time, which a paused clock cannot detect.
struct Watchdog(#[allow(dead_code, reason = "its drop ends the watchdog's wait")] Sender<()>);

impl Watchdog {
    fn new() -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        let name = thread::current().name().unwrap_or("a test").to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(secs(60)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{name} has run for a minute");
                std::process::exit(101);
            }
        });
        Self(alive)
    }
}
