//! A scope that stands in for a manager and records what the task reports, on a paused clock.
//!
//! A test that holds the future of a task with an async closure itself (`pin!`, `join!`) boxes the
//! task: without that, rustc 1.95 crashes on it now and then in incremental builds.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{Context, Task};
use task_testkit::TestScope;
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
    scope: TestScope,
    born: Instant,
    starts: Arc<Mutex<Vec<u64>>>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { scope: TestScope::new("task"), born: Instant::now(), starts: Arc::default() }
    }

    pub(crate) fn ctx(&self) -> Context {
        self.scope.context()
    }

    pub(crate) fn cancel(&self) {
        self.scope.cancel();
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
        self.scope.statuses()
    }

    pub(crate) fn last_status(&self) -> String {
        self.statuses().pop().expect("the task has set a status")
    }

    pub(crate) fn readiness(&self) -> Vec<bool> {
        self.scope.readiness()
    }

    pub(crate) fn recorded_failures(&self) -> usize {
        self.scope.failures().len()
    }
}
