//! Tasks that block their thread, runtimes for them, and assertions about time.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use task_manager::{
    BoxTask, Context, Manager, ManagerBuilder, Outcome, Report, Task, TaskHandle, task_fn,
};
use tokio::runtime::{self, Runtime};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The end of the stop of a [`short`] shutdown that has no cleanups: its total.
pub(crate) const STOP_END: Duration = SECOND;
/// How long aborted tasks are waited for at the end of that.
pub(crate) const ABORT_WAIT: Duration = Duration::from_millis(50);
/// What is kept for cleanups if there are any.
pub(crate) const CLEANUPS: Duration = Duration::from_millis(200);
/// How long a task has to end after an abort escalation.
pub(crate) const ESCALATED_GRACE: Duration = Duration::from_millis(250);
/// The contract is 100 ms; tests share their cores, and print what they measured.
const SLACK: Duration = Duration::from_millis(400);

/// A shutdown of a second in all, 200 ms of it for cleanups if there are any.
pub(crate) fn short() -> ManagerBuilder {
    Manager::builder().shutdown_timeout(SECOND).cleanup_timeout(CLEANUPS)
}

/// A runtime that is never dropped, since a drop would wait for its blocked workers.
pub(crate) fn workers(count: usize) -> &'static Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    Box::leak(Box::new(builder.worker_threads(count).enable_all().build().unwrap()))
}

pub(crate) fn current_thread() -> &'static Runtime {
    Box::leak(Box::new(runtime::Builder::new_current_thread().enable_all().build().unwrap()))
}

/// Blocks the calling thread for longer than any scenario takes.
pub(crate) fn block() {
    thread::sleep(60 * SECOND);
}

/// Runs this many tasks that block their worker, and returns once they do.
pub(crate) fn block_workers<R>(run: R, count: usize) -> Vec<TaskHandle>
where
    R: Fn(BoxTask) -> TaskHandle,
{
    let (blocked, all) = mpsc::channel();
    let tasks = (0..count).map(|index| {
        let blocked = blocked.clone();
        let task = task_fn(format!("stuck-{index}"), async move |ctx| {
            ctx.set_status("in a loop without await");
            blocked.send(()).unwrap();
            block();
            Ok(())
        });
        run(task.boxed())
    });
    let tasks = tasks.collect();
    for _ in 0..count {
        all.recv_timeout(5 * SECOND).expect("each blocks a worker");
    }
    tasks
}

/// Works until it is stopped.
pub(crate) fn worker(name: &'static str) -> impl Task {
    task_fn(name, async |ctx| {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Ignores cancellation.
pub(crate) fn unresponsive(name: &'static str) -> impl Task {
    task_fn(name, async |_| {
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// The context of a task of the group, to escalate its shutdown with.
pub(crate) fn context(manager: &Manager) -> Context {
    let (sender, receiver) = mpsc::channel();
    let signals = async move |ctx: Context| {
        sender.send(ctx.clone())?;
        ctx.cancelled().await;
        Ok(())
    };
    manager.run(task_fn("signals", signals)).unwrap();
    receiver.recv_timeout(5 * SECOND).unwrap()
}

/// Asserts that now is at most `due` after `began`, or a little more.
#[track_caller]
pub(crate) fn assert_by(what: &str, began: Instant, due: Duration) {
    let late = began.elapsed().saturating_sub(due);
    eprintln!("measured: {what}: {} ms late", late.as_millis());
    assert!(late <= SLACK, "{what}: {late:?} late");
}

/// Asserts that now is `due` after `began`, or a little later.
#[track_caller]
pub(crate) fn assert_on_time(what: &str, began: Instant, due: Duration) {
    let took = began.elapsed();
    assert_by(what, began, due);
    assert!(took + Duration::from_millis(5) >= due, "{what}: too early, after {took:?}");
}

/// The sorted names of the tasks that the report lists as abandoned.
pub(crate) fn abandoned(report: &Report) -> Vec<&str> {
    let tasks = report.tasks().iter().filter(|task| task.outcome == Outcome::Abandoned);
    let mut names: Vec<&str> = tasks.map(|task| &*task.name).collect();
    names.sort_unstable();
    names
}
