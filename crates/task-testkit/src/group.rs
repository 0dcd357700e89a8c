//! The real manager in a test, with scripted stops and signals.

use std::{mem, thread, time::Duration};

use task_core::{BoxTask, Group, GroupSnapshot, Task};
use task_manager::{Manager, ManagerBuilder, Report, ShutdownError};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    clock::within,
    signals::{Line, Signal, Signals},
    text::{indented, seconds},
};

/// How long a group is waited for, on Tokio's clock.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// A group of tasks under the real manager, in a test: with stops and signals at given times, none
/// of which reaches the process.
///
/// On a paused clock ([`paused`](crate::paused)) a shutdown takes no real time, and every time in
/// its report is exact.
///
/// It does not wait for threads: at a stop it leaps over the deadlines, and a
/// [`blocking_task`](task_core::blocking_task) is abandoned before it can end. A test gives threads
/// real time by [`frozen`](crate::frozen), or uses a clock that is not paused.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::{Context, Outcome, Phase, Task, task_fn};
/// use task_testkit::{ReportAssertions as _, Signal, TestGroup, chaos, paused};
///
/// paused(async {
///     let server = task_fn("server", async |ctx: Context| {
///         ctx.cancelled().await;
///         Ok(())
///     });
///     let report = TestGroup::new()
///         .manager(|manager| manager.name("shop").shutdown_timeout(Duration::from_secs(10)))
///         .task(server.in_phase(Phase::INGRESS))
///         .task(chaos::slow_stop(Duration::from_secs(2)).named("consumer"))
///         .signal_at(Duration::from_secs(60), Signal::Term)
///         .run()
///         .await;
///     report
///         .assert_clean()
///         .assert_cause("signal SIGTERM (task `signals`)")
///         .assert_order(&["server", "consumer", "signals"])
///         .assert_outcome("consumer", Outcome::Completed)
///         .assert_stopped_within("consumer", Duration::from_secs(2));
/// });
/// ```
#[derive(Debug)]
#[must_use = "call `run` or `start`"]
pub struct TestGroup {
    builder: ManagerBuilder,
    tasks: Vec<Admission>,
    stop_at: Option<Duration>,
    signals: Vec<(Duration, Signal)>,
}

#[derive(Debug)]
enum Admission {
    Critical(BoxTask),
    Ephemeral(BoxTask),
}

impl TestGroup {
    /// Creates a group without tasks, with the default settings of a manager.
    pub fn new() -> Self {
        let builder = Manager::builder();
        Self { builder, tasks: Vec::new(), stop_at: None, signals: Vec::new() }
    }

    /// Configures the manager. Default: that of [`Manager::builder`].
    pub fn manager(mut self, configure: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        self.builder = configure(self.builder);
        self
    }

    /// Adds a critical task.
    pub fn task(mut self, task: impl Task) -> Self {
        self.tasks.push(Admission::Critical(task.boxed()));
        self
    }

    /// Adds an ephemeral task.
    pub fn ephemeral(mut self, task: impl Task) -> Self {
        self.tasks.push(Admission::Ephemeral(task.boxed()));
        self
    }

    /// Stops the group that long after its start. Default: it is not stopped.
    pub fn stop_at(mut self, time: Duration) -> Self {
        self.stop_at = Some(time);
        self
    }

    /// Delivers a signal that long after the start of the group; several calls deliver several.
    /// Default: none.
    ///
    /// The group then has a task `signals` of [`Phase::SUPPORT`](task_core::Phase::SUPPORT), which
    /// does what a `SignalTask` of the crate `task-signal` does by default: the first of each kind
    /// stops the group, the second `SIGINT` aborts its tasks, and repeats within 250 ms do not
    /// count. A third `SIGINT`, which would end the process, does nothing. Nothing is captured: a
    /// signal of the system acts as if there were no group.
    pub fn signal_at(mut self, time: Duration, signal: Signal) -> Self {
        self.signals.push((time, signal));
        self
    }

    /// Runs the group to its end, and returns the report, clean or not.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start) and [`RunningGroup::ended`].
    pub async fn run(self) -> Report {
        self.start().ended().await
    }

    /// Starts the group.
    ///
    /// # Panics
    ///
    /// If the settings contradict each other, and outside of a Tokio runtime with a timer.
    #[track_caller]
    pub fn start(self) -> RunningGroup {
        let manager = match self.builder.build() {
            Ok(manager) => manager,
            Err(error) => panic!("the settings of the group: {error}"),
        };
        if !self.signals.is_empty() {
            let signals = Signals { script: self.signals, line: Line::default() };
            admitted(manager.run(signals).map(drop));
        }
        for task in self.tasks {
            match task {
                Admission::Critical(task) => admitted(manager.run(task).map(drop)),
                Admission::Ephemeral(task) => admitted(manager.run_ephemeral(task).map(drop)),
            }
        }
        let handle = manager.handle();
        let waiting = tokio::spawn({
            let handle = handle.clone();
            async move {
                // It makes readiness possible, and has the group end when its work is done.
                let _ = handle.wait().await;
            }
        });
        let stopping = self.stop_at.map(|time| {
            tokio::spawn(async move {
                sleep(time).await;
                handle.stop();
            })
        });
        RunningGroup { manager, waiting, stopping, has_ended: false }
    }
}

impl Default for TestGroup {
    fn default() -> Self {
        Self::new()
    }
}

#[track_caller]
fn admitted<T>(result: Result<(), task_manager::Refused<T>>) {
    if let Err(refused) = result.map_err(|refused| refused.to_string()) {
        panic!("a task of the group: {refused}");
    }
}

/// A group that was started in a test.
///
/// One that is dropped before [`ended`](Self::ended) has returned panics with its tasks, so that
/// no test forgets to stop its group.
#[derive(Debug)]
#[must_use = "a group that is not waited for panics when it is dropped"]
pub struct RunningGroup {
    manager: Manager,
    waiting: JoinHandle<()>,
    stopping: Option<JoinHandle<()>>,
    has_ended: bool,
}

impl RunningGroup {
    /// Returns the manager, to run further tasks, register cleanups and stop the group.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Returns the read-only view of the group.
    pub fn group(&self) -> Group {
        self.manager.group()
    }

    /// Stops the group, as [`Manager::stop`] does.
    pub fn stop(&self) {
        self.manager.stop();
    }

    /// Waits until the group is ready.
    ///
    /// # Panics
    ///
    /// If it ends first, or is not ready after a day of Tokio's clock. The message has its tasks.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ready(&self) {
        self.until("ready", |group| group.readiness.is_ready()).await;
    }

    /// Waits until `holds` returns true. It is asked now, and after each change of the group.
    /// `what` completes "the group was never ..." in the message of a failure.
    ///
    /// # Panics
    ///
    /// If the group ends first, or it does not hold after a day of Tokio's clock. The message has
    /// the group's tasks.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use task_testkit::{ReportAssertions as _, TestGroup, chaos, paused};
    ///
    /// paused(async {
    ///     let mut group = TestGroup::new().task(chaos::flaps_ready(Duration::from_secs(7))).start();
    ///     group.until("ready", |group| group.tasks.iter().all(|task| task.is_ready)).await;
    ///     group.stop();
    ///     group.ended().await.assert_clean();
    /// });
    /// ```
    pub async fn until(&self, what: &str, holds: impl Fn(&GroupSnapshot) -> bool) {
        let mut group = self.manager.group();
        let waiting = async {
            loop {
                let snapshot = group.snapshot();
                if holds(&snapshot) {
                    return;
                }
                let has_ended = snapshot.step == task_core::Step::Ended;
                assert!(!has_ended, "the group was never {what}{}", table(&snapshot));
                group.changed().await;
            }
        };
        if within(LONGEST_WAIT, waiting).await.is_none() {
            let table = table(&self.manager.group().snapshot());
            panic!("the group was never {what} within {}{table}", seconds(LONGEST_WAIT));
        }
    }

    /// Waits until the group has ended, and returns its report, clean or not.
    ///
    /// # Panics
    ///
    /// If it has not ended after a day of Tokio's clock: nothing stops it. The message has its
    /// tasks. Also if it is called by a task of the group, where it would wait for itself.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ended(&mut self) -> Report {
        let result = within(LONGEST_WAIT, self.manager.wait()).await;
        self.has_ended = true;
        match result.map(report_of) {
            Some(report) => report,
            None => {
                let table = table(&self.manager.group().snapshot());
                panic!("the group has not ended after {}{table}", seconds(LONGEST_WAIT));
            }
        }
    }
}

impl Drop for RunningGroup {
    fn drop(&mut self) {
        self.waiting.abort();
        self.stopping.iter().for_each(JoinHandle::abort);
        if !mem::replace(&mut self.has_ended, true) && !thread::panicking() {
            panic!("a group was not waited for{}", table(&self.manager.group().snapshot()));
        }
    }
}

/// Returns the report, clean or not.
#[track_caller]
pub(crate) fn report_of(result: Result<Report, ShutdownError>) -> Report {
    match result {
        Ok(report) => report,
        Err(error) => match error.report() {
            Some(report) => report.clone(),
            None => panic!("the wait for the group: {error}"),
        },
    }
}

/// The group at one instant, as lines: its step, and its tasks.
pub(crate) fn table(group: &GroupSnapshot) -> String {
    let tasks = group.tasks.iter().map(|task| {
        let status = task.status.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
        let ready = match (task.gates_readiness, task.is_ready) {
            (true, false) => ", not ready",
            _ => "",
        };
        format!("{} is {}{ready}{status}", task.name, task.state)
    });
    format!("; it is {}{}", group.step, indented(tasks))
}
