//! Work on a thread of its own, seen from its scope.

use std::{
    future::Future as _,
    panic::panic_any,
    sync::{Arc, mpsc},
    task::{self, Wake},
    thread,
    time::Duration,
};

use anyhow::bail;
use task_core::{
    Cancelled, Context, Task, blocking_task,
    scope::{Stage, StageCell},
};
use tokio::time::timeout;

use crate::scope::Recorder;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until the thread has released its hold, and returns all calls of the scope.
fn calls_until_release(recorder: &Recorder) -> Vec<String> {
    let mut calls = recorder.calls();
    let limit = std::time::Instant::now() + LIMIT;
    while calls.last().is_none_or(|call| call != "release") {
        assert!(std::time::Instant::now() < limit, "{calls:?}");
        thread::yield_now();
        calls.extend(recorder.calls());
    }
    calls
}

#[tokio::test]
async fn the_result_is_the_tasks_and_the_thread_has_its_name() {
    let (recorder, ctx) = Recorder::context();
    let task = blocking_task("a\0name", |ctx: Context| {
        bail!("{} on {:?}", ctx.name(), thread::current().name())
    });
    assert_eq!(task.name(), "a\0name");
    let error = timeout(LIMIT, task.run(ctx)).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "recorded on Some(\"aname\")");
    // The thread counts as a part of the task until it is gone, and runs within it.
    assert_eq!(calls_until_release(&recorder), ["hold", "enter", "release"]);
}

#[tokio::test]
async fn the_closure_observes_the_stop() {
    let (recorder, ctx) = Recorder::context();
    let task = blocking_task("waiting", |ctx: Context| {
        assert!(ctx.wait_cancelled(LIMIT));
        Ok(())
    });
    let running = tokio::spawn(task.run(ctx));
    tokio::task::yield_now().await;
    recorder.stage.advance(Stage::Cancelled);
    timeout(LIMIT, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_of_the_closure_is_the_tasks_with_its_payload() {
    let (_, ctx) = Recorder::context();
    let running = tokio::spawn(blocking_task("bad", |_: Context| panic_any(7_u8)).run(ctx));
    let panic = timeout(LIMIT, running).await.unwrap().unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<u8>(), Some(&7));
}

/// Returns the calls of a thread when its task is dropped before it has ended with `end`.
async fn dropped_before(end: fn() -> anyhow::Result<()>) -> Vec<String> {
    let (recorder, ctx) = Recorder::context();
    dropped_before_in(&recorder, ctx, end).await
}

async fn dropped_before_in(
    recorder: &Recorder,
    ctx: Context,
    end: fn() -> anyhow::Result<()>,
) -> Vec<String> {
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let task = blocking_task("late", move |_: Context| {
        begun.send(()).unwrap();
        may_go.recv().unwrap();
        end()
    });
    let mut running = Box::pin(task.run(ctx));
    // The first poll starts the thread.
    assert!(timeout(Duration::ZERO, running.as_mut()).await.is_err());
    has_begun.recv().unwrap();
    drop(running);
    go.send(()).unwrap();
    calls_until_release(recorder)
}

#[tokio::test]
async fn a_failure_after_the_task_was_dropped_is_recorded() {
    assert_eq!(dropped_before(|| Ok(())).await, ["hold", "enter", "release"]);
    let late = |end| async move { dropped_before(end).await.swap_remove(2) };
    assert_eq!(late(|| bail!("no")).await, "failure after the task was aborted: no");
    assert_eq!(late(|| panic!("a text")).await, "panic a text");
    assert_eq!(late(|| panic_any(String::from("a string"))).await, "panic a string");
    assert_eq!(late(|| panic_any(7_u8)).await, "panic (a payload that is no text)");
}

#[tokio::test]
async fn a_late_end_by_cancellation_is_a_failure_only_if_the_task_was_not_cancelled() {
    let cancelled = || Err(Cancelled.into());
    let calls = dropped_before(cancelled).await;
    assert_eq!(calls[2], "failure after the task was aborted: cancelled");
    let (recorder, ctx) = Recorder::context();
    recorder.stage.advance(Stage::Cancelled);
    assert_eq!(dropped_before_in(&recorder, ctx, cancelled).await, ["hold", "enter", "release"]);
}

#[tokio::test]
async fn an_admitted_task_runs_before_its_first_poll_and_fails_its_scope_at_once() {
    let (recorder, ctx) = Recorder::context();
    let mut task = blocking_task("bad", |_: Context| bail!("no disk"));
    task.admitted(&ctx);
    assert_eq!(calls_until_release(&recorder), ["hold", "enter", "fail no disk", "release"]);
    // The scope has the error, so it is not returned as well.
    task.run(ctx).await.unwrap();
    assert!(recorder.calls().is_empty());
}

#[tokio::test]
async fn an_error_that_the_scope_does_not_take_is_returned() {
    let ctx = Context::new(Arc::new(StageCell::new()));
    let mut task = blocking_task("bad", |_: Context| bail!("no disk"));
    task.admitted(&ctx);
    assert_eq!(timeout(LIMIT, task.run(ctx)).await.unwrap().unwrap_err().to_string(), "no disk");
}

#[tokio::test]
async fn an_end_by_cancellation_is_returned_and_fails_no_scope() {
    let (recorder, ctx) = Recorder::context();
    recorder.stage.advance(Stage::Cancelled);
    let mut task = blocking_task("stopped", |ctx: Context| {
        assert!(ctx.is_cancelled());
        Err(Cancelled.into())
    });
    task.admitted(&ctx);
    assert_eq!(calls_until_release(&recorder), ["hold", "enter", "release"]);
    assert!(Cancelled::is_outermost_in(&task.run(ctx).await.unwrap_err()));
}

#[tokio::test]
async fn a_clone_of_a_task_that_has_started_fails_and_one_of_a_new_task_runs() {
    let (recorder, ctx) = Recorder::context();
    let mut task = blocking_task("once", |_: Context| Ok(()));
    let new = task.clone();
    task.admitted(&ctx);
    let started = task.clone();
    task.run(ctx.clone()).await.unwrap();
    calls_until_release(&recorder);
    new.run(ctx.clone()).await.unwrap();
    let error = started.run(ctx).await.unwrap_err();
    assert_eq!(error.to_string(), "a clone of a task that had started");
}

/// A waker that panics neither loses the result nor keeps the thread from releasing its hold.
#[tokio::test]
async fn a_waker_that_panics_costs_neither_the_result_nor_the_release() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let (recorder, ctx) = Recorder::context();
    let (go, may_go) = mpsc::channel::<()>();
    let task = blocking_task("woken badly", move |_: Context| {
        may_go.recv().unwrap();
        bail!("no")
    });
    let mut running = Box::pin(task.run(ctx));
    let waker = Arc::new(Bad).into();
    assert!(running.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
    go.send(()).unwrap();
    assert_eq!(calls_until_release(&recorder), ["hold", "enter", "release"]);
    assert_eq!(timeout(LIMIT, running).await.unwrap().unwrap_err().to_string(), "no");
}

#[tokio::test]
async fn a_failure_before_the_task_was_dropped_and_not_polled_is_recorded() {
    let (recorder, ctx) = Recorder::context();
    let (go, may_go) = mpsc::channel::<()>();
    let task = blocking_task("done", move |_: Context| {
        may_go.recv().unwrap();
        bail!("no")
    });
    let mut running = Box::pin(task.run(ctx));
    // The first poll starts the thread, and there is no second one.
    assert!(timeout(Duration::ZERO, running.as_mut()).await.is_err());
    go.send(()).unwrap();
    calls_until_release(&recorder);
    drop(running);
    assert_eq!(recorder.calls(), ["failure after the task was aborted: no"]);
}

#[tokio::test]
async fn a_task_that_is_polled_by_another_waker_is_still_woken() {
    let (recorder, ctx) = Recorder::context();
    let task = blocking_task("moved", |ctx: Context| {
        ctx.wait_cancelled(LIMIT);
        Ok(())
    });
    let mut running = Box::pin(task.run(ctx));
    assert!(timeout(Duration::ZERO, running.as_mut()).await.is_err());
    let running = tokio::spawn(running);
    tokio::task::yield_now().await;
    Arc::clone(&recorder).stage.advance(Stage::Cancelled);
    timeout(LIMIT, running).await.unwrap().unwrap().unwrap();
}
