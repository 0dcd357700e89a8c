//! Failures beside a task's own future: of threads and spawned tasks that belong to it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{anyhow, bail};
use task_manager::{
    Cancelled, CauseKind, Context, FailureKind, Hold, Manager, ManagerBuilder, Outcome, Report,
    ShutdownError, Task, blocking_task, task_fn,
};
use tokio::time::timeout;

use crate::support::{SECOND, worker};

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a task beside a worker until the group has stopped by itself, and returns how it ended.
async fn stopped_by(task: impl Task) -> (Option<Outcome>, ShutdownError) {
    stopped_by_in(Manager::builder(), task).await
}

async fn stopped_by_in(
    builder: ManagerBuilder,
    task: impl Task,
) -> (Option<Outcome>, ShutdownError) {
    let manager = builder.build().unwrap();
    let other = manager.run(worker("other")).unwrap();
    let task = manager.run(task).unwrap();
    let error = timeout(LIMIT, manager.wait()).await.expect("it stops the group").unwrap_err();
    assert_eq!(other.outcome(), Some(Outcome::Completed));
    (task.outcome(), error)
}

fn texts(report: &Report) -> Vec<String> {
    report.failures().iter().map(|failure| failure.kind_text()).collect()
}

trait KindText {
    fn kind_text(&self) -> String;
}

impl KindText for task_manager::Failure {
    fn kind_text(&self) -> String {
        match &self.kind {
            FailureKind::Error(error) | FailureKind::Survived(error) => format!("{error:#}"),
            FailureKind::Panic(panic) => format!("panic: {}", panic.message),
            FailureKind::Aborted { .. } => String::from("aborted"),
            other => format!("{other:?}"),
        }
    }
}

/// Asserts that the task's failure stopped the group, once.
#[track_caller]
fn assert_stopped_by_panic(outcome: Option<Outcome>, error: &ShutdownError, message: &str) {
    let report = error.report().unwrap();
    assert_eq!(texts(report), [format!("panic: {message}")], "{report}");
    assert_eq!(outcome, Some(Outcome::Panicked));
    let is_cause = matches!(
        report.cause().kind,
        CauseKind::TaskEnded { outcome: Outcome::Panicked, was_asked: false, .. }
    );
    assert!(is_cause && report.later_triggers().is_empty(), "{report}");
    let FailureKind::Panic(panic) = &report.failures()[0].kind else { panic!("{report}") };
    assert!(panic.location.as_ref().unwrap().contains("beside.rs"), "{panic}");
}

fn panic_with(_hold: Hold, message: &'static str) {
    panic!("{message}");
}

/// A task that waits for its end and does not look at what it has spawned.
fn keeping(spawn: impl FnOnce(Context, Hold) + Send + 'static) -> impl Task {
    task_fn("keeping", async move |ctx: Context| {
        spawn(ctx.clone(), ctx.hold());
        ctx.cancelled().await;
        Ok(())
    })
}

/// Invariant 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_spawned_task_that_panics_with_a_hold_fails_its_task() {
    let spawning = keeping(|_, hold| {
        tokio::spawn(async move { panic_with(hold, "in a helper") });
    });
    let (outcome, error) = stopped_by(spawning).await;
    assert_stopped_by_panic(outcome, &error, "in a helper");
}

/// Invariant 2.
#[tokio::test]
async fn a_thread_that_panics_with_a_hold_or_within_enter_fails_its_task() {
    let (outcome, error) = stopped_by(keeping(|_, hold| {
        thread::spawn(|| panic_with(hold, "on a thread"));
    }))
    .await;
    assert_stopped_by_panic(outcome, &error, "on a thread");
    let (outcome, error) = stopped_by(keeping(|ctx, _| {
        thread::spawn(move || ctx.enter(|| panic!("within")));
    }))
    .await;
    assert_stopped_by_panic(outcome, &error, "within");
    // By both, and caught.
    let (outcome, error) = stopped_by(keeping(|ctx, hold| {
        thread::spawn(move || {
            let entered = || ctx.enter(|| panic_with(hold, "both"));
            let _ = catch_unwind(AssertUnwindSafe(entered));
        });
    }))
    .await;
    assert_stopped_by_panic(outcome, &error, "both");
}

/// Invariants 1 and 2.
#[tokio::test]
async fn a_panic_that_the_future_propagates_is_reported_once() {
    let own = task_fn("own", async |ctx: Context| {
        let _hold = ctx.hold();
        ctx.enter(|| panic!("passed on"))
    });
    let (outcome, error) = stopped_by(own).await;
    assert_stopped_by_panic(outcome, &error, "passed on");
    let joining = task_fn("joining", async |ctx: Context| {
        let inner = ctx.clone();
        let thread = thread::spawn(move || inner.enter(|| panic!("passed on")));
        thread.join().unwrap_or_else(|payload| resume_unwind(payload))
    });
    let (outcome, error) = stopped_by(joining).await;
    assert_stopped_by_panic(outcome, &error, "passed on");
    // With a hold that is kept when the future has ended.
    let held = task_fn("held", async |ctx: Context| {
        let hold = ctx.hold();
        tokio::spawn(async move {
            tokio::time::sleep(SECOND / 20).await;
            drop(hold);
        });
        ctx.enter(|| panic!("passed on"))
    });
    let (outcome, error) = stopped_by(held).await;
    assert_stopped_by_panic(outcome, &error, "passed on");
    let (outcome, error) = stopped_by(blocking_task("blocking", |_| panic!("passed on"))).await;
    assert_stopped_by_panic(outcome, &error, "passed on");
}

/// Invariant 2.
#[tokio::test]
async fn what_the_future_ends_with_after_a_panic_beside_it_is_reported_too() {
    fn panics_and(end: fn() -> anyhow::Result<()>) -> impl Task {
        task_fn("both", async move |ctx: Context| {
            let _ = catch_unwind(AssertUnwindSafe(|| ctx.enter(|| panic!("first"))));
            end()
        })
    }
    let (outcome, error) = stopped_by(panics_and(|| bail!("second"))).await;
    assert_eq!(texts(error.report().unwrap()), ["panic: first", "second"]);
    assert_eq!(outcome, Some(Outcome::Panicked), "the first counts");
    let (outcome, error) = stopped_by(panics_and(|| panic!("second"))).await;
    assert_eq!(texts(error.report().unwrap()), ["panic: first", "panic: second"]);
    assert_eq!(outcome, Some(Outcome::Panicked));
    for end in [|| Ok(()), || Err(Cancelled.into())] {
        let (outcome, error) = stopped_by(panics_and(end)).await;
        assert_stopped_by_panic(outcome, &error, "first");
    }
}

/// Invariants 1 and 2.
#[tokio::test(start_paused = true)]
async fn an_abort_after_a_panic_beside_the_future_is_reported_too() {
    let stuck = task_fn("stuck", async |ctx: Context| {
        let _ = catch_unwind(AssertUnwindSafe(|| ctx.enter(|| panic!("first"))));
        std::future::pending().await
    });
    let (outcome, error) = stopped_by(stuck).await;
    assert_eq!(texts(error.report().unwrap()), ["panic: first", "aborted"]);
    assert_eq!(outcome, Some(Outcome::Aborted));
}

/// Invariants 1 and 2.
#[tokio::test]
async fn a_panic_of_a_holder_after_the_clean_end_of_the_future_fails_the_task() {
    let ended = task_fn("ended", async |ctx: Context| {
        let hold = ctx.hold();
        thread::spawn(move || {
            assert!(ctx.wait_cancelled(LIMIT));
            panic_with(hold, "late");
        });
        Ok(())
    });
    let (outcome, error) = stopped_by(ended).await;
    assert_stopped_by_panic(outcome, &error, "late");
}

/// Invariant 2.
#[tokio::test]
async fn a_panic_within_enter_after_the_end_of_the_task_stops_the_group() {
    let manager = Manager::new();
    manager.run(worker("other")).unwrap();
    let (sender, receiver) = mpsc::channel();
    let brief = async move |ctx| Ok(sender.send(ctx)?);
    let task = manager.run_ephemeral(task_fn("brief", brief)).unwrap();
    assert_eq!(task.ended().await, Outcome::Completed);
    let ctx = receiver.recv().unwrap();
    thread::spawn(move || ctx.enter(|| panic!("after the end"))).join().unwrap_err();
    let error = timeout(LIMIT, manager.wait()).await.unwrap().unwrap_err();
    assert_eq!(texts(error.report().unwrap()), ["panic: after the end"]);
    assert_eq!(task.outcome(), Some(Outcome::Completed));
}

/// Invariant 2.
#[tokio::test]
async fn the_panics_of_several_threads_of_a_task_are_all_reported_and_stop_the_group_once() {
    let (outcome, error) = stopped_by(keeping(|ctx, _| {
        for _ in 0..3 {
            let ctx = ctx.clone();
            thread::spawn(move || ctx.enter(|| panic!("each"))).join().unwrap_err();
        }
    }))
    .await;
    let report = error.report().unwrap();
    assert_eq!(texts(report), ["panic: each"; 3]);
    assert!(report.later_triggers().is_empty(), "{report}");
    assert_eq!(outcome, Some(Outcome::Panicked));
}

/// Invariant 2.
#[tokio::test]
async fn the_error_of_a_blocking_task_is_its_failure_and_its_own_type() {
    let failing = blocking_task("failing", |_| Err(std::fmt::Error.into()));
    let (outcome, error) = stopped_by(failing).await;
    let report = error.report().unwrap();
    assert_eq!((outcome, report.failures().len()), (Some(Outcome::Failed), 1), "{report}");
    assert!(report.failures()[0].error().unwrap().is::<std::fmt::Error>());
    assert!(matches!(report.cause().kind, CauseKind::TaskEnded { outcome: Outcome::Failed, .. }));
}

/// Invariant 2. A task that handles the error of a closure that it runs by hand may go on.
#[tokio::test]
async fn a_wrapper_survives_the_error_of_a_blocking_task_that_it_runs_by_hand() {
    let manager = Manager::new();
    let retrying = task_fn("retrying", async |ctx: Context| {
        for attempt in 0..3 {
            let run = blocking_task("attempt", move |_| Err(anyhow!("attempt {attempt}")));
            let error = run.run(ctx.clone()).await.unwrap_err();
            assert_eq!(error.to_string(), format!("attempt {attempt}"));
        }
        Ok(())
    });
    manager.run(retrying).unwrap();
    assert!(timeout(LIMIT, manager.wait()).await.unwrap().unwrap().is_clean());
}

/// Invariant 2. A late `Cancelled` of an aborted closure is no failure.
#[tokio::test]
async fn a_blocking_task_that_is_cancelled_too_late_is_only_aborted() {
    let builder = Manager::builder().shutdown_timeout(4 * SECOND).cleanup_timeout(2 * SECOND);
    let manager = builder.build().unwrap();
    let (go, may_go) = mpsc::channel::<()>();
    let task = manager
        .run(blocking_task("late", move |ctx: Context| {
            // Until its future is dropped.
            let _ = may_go.recv();
            assert!(ctx.is_cancelled());
            Err(Cancelled.into())
        }))
        .unwrap();
    let releases = task_fn("releases", async move |ctx: Context| {
        let _go = go;
        ctx.cancelled().await;
        std::future::pending().await
    });
    manager.run(releases).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(texts(error.report().unwrap()), ["aborted", "aborted"]);
    assert_eq!(task.outcome(), Some(Outcome::Aborted));
}
