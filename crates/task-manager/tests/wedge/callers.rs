//! Every trigger acts at its instant, on the thread on which it happens: with every worker blocked,
//! while the only thread of a runtime is busy, and before there is a runtime. The table stands in
//! the crate's documentation; the parent token has a file of its own.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use task_manager::{
    CauseKind, Context, Escalation, FailureKind, Manager, Outcome, Phase, Step, Task, task_fn,
};

use crate::child;
use crate::support::{
    SECOND, assert_by, assert_on_time, block_workers, context, current_thread, short, worker,
    workers,
};

/// Calls it on a thread of its own, outside of every runtime, and returns when it has returned.
fn elsewhere(call: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(call).join().unwrap());
}

/// Blocks every worker, has a shutdown triggered from outside, and asserts that it begins at that
/// instant and ends by its deadline. Returns its cause.
fn with_every_worker_blocked(trigger: impl FnOnce(&Manager, &Context) + Send) -> CauseKind {
    workers(2).block_on(async {
        let manager = short().build().unwrap();
        let ctx = context(&manager);
        block_workers(|task| manager.run(task).unwrap(), 2);
        let began = Instant::now();
        elsewhere(|| trigger(&manager, &ctx));
        assert!(ctx.is_cancelled() && manager.group().step() == Step::Stopping);
        let error = manager.wait().await.unwrap_err();
        assert_by("the end of a blocked group", began, SECOND);
        error.report().unwrap().cause().kind.clone()
    })
}

/// As [`with_every_worker_blocked`], on a runtime whose one thread does not get to an await, as in
/// a setup that blocks.
fn with_the_only_thread_busy(trigger: impl FnOnce(&Manager, &Context) + Send) -> CauseKind {
    current_thread().block_on(async {
        let manager = short().build().unwrap();
        let (sender, receiver) = mpsc::channel();
        manager.run(Lends(sender)).unwrap();
        let ctx = receiver.recv().unwrap();
        elsewhere(|| trigger(&manager, &ctx));
        assert!(ctx.is_cancelled() && manager.group().step() == Step::Stopping);
        assert!(manager.run(worker("late")).unwrap_err().is_too_late());
        let result = manager.wait().await;
        let report = result.as_ref().unwrap_or_else(|error| error.report().unwrap());
        assert_eq!(report.totals().completed, 1, "{report}");
        report.cause().kind.clone()
    })
}

/// As [`with_every_worker_blocked`], before the manager has a runtime.
fn before_the_runtime(trigger: impl FnOnce(&Manager) + Send) -> CauseKind {
    let manager = short().build().unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    elsewhere(|| trigger(&manager));
    assert_eq!(manager.group().step(), Step::Draining, "as far as it gets without a runtime");
    current_thread().block_on(async {
        assert!(manager.run(worker("late")).unwrap_err().is_too_late());
        let result = manager.wait().await;
        let report = result.as_ref().unwrap_or_else(|error| error.report().unwrap());
        assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed));
        report.cause().kind.clone()
    })
}

/// Lends its context before it is polled.
struct Lends(mpsc::Sender<Context>);

impl Task for Lends {
    fn admitted(&mut self, ctx: &Context) {
        self.0.send(ctx.clone()).unwrap();
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        ctx.cancelled().await;
        Ok(())
    }
}

/// Invariant 3.
#[test]
fn a_stop_of_the_manager_acts_at_once_on_the_thread_that_calls_it() {
    child::run(|| {
        let cause = with_every_worker_blocked(|manager, _| manager.stop());
        assert_eq!(cause, CauseKind::Stopped);
        let cause = with_the_only_thread_busy(|manager, _| manager.stop());
        assert_eq!(cause, CauseKind::Stopped);
        assert_eq!(before_the_runtime(|manager| manager.stop()), CauseKind::Stopped);
    })
    .passed();
}

/// Invariant 3.
#[test]
fn a_stop_of_a_handle_acts_at_once_on_the_thread_that_calls_it() {
    child::run(|| {
        let cause = with_every_worker_blocked(|manager, _| manager.handle().stop());
        assert_eq!(cause, CauseKind::Stopped);
        let cause = with_the_only_thread_busy(|manager, _| manager.handle().stop());
        assert_eq!(cause, CauseKind::Stopped);
        assert_eq!(before_the_runtime(|manager| manager.handle().stop()), CauseKind::Stopped);
    })
    .passed();
}

/// Invariant 3.
#[test]
fn a_failed_setup_acts_at_once_on_the_thread_that_reports_it() {
    child::run(|| {
        let fails = |manager: &Manager| manager.setup_failed(anyhow::anyhow!("no port"));
        let cause = with_every_worker_blocked(|manager, _| fails(manager));
        assert_eq!(cause, CauseKind::SetupFailed);
        let cause = with_the_only_thread_busy(|manager, _| fails(manager));
        assert_eq!(cause, CauseKind::SetupFailed);
        assert_eq!(before_the_runtime(fails), CauseKind::SetupFailed);
    })
    .passed();
}

/// Invariant 3. It needs a task, so there is a runtime.
#[test]
fn a_stop_request_of_a_task_acts_at_once_on_the_thread_that_calls_it() {
    child::run(|| {
        let is_request = |cause: &CauseKind| matches!(cause, CauseKind::RequestedBy { reason, .. } if reason == "over");
        let cause = with_every_worker_blocked(|_, ctx| ctx.request_stop("over"));
        assert!(is_request(&cause), "{cause}");
        let cause = with_the_only_thread_busy(|_, ctx| ctx.request_stop("over"));
        assert!(is_request(&cause), "{cause}");
    })
    .passed();
}

/// Invariant 3. It needs a task, so there is a runtime.
#[test]
fn an_escalation_begins_a_shutdown_at_once_on_the_thread_that_calls_it() {
    child::run(|| {
        let cause = with_every_worker_blocked(|_, ctx| {
            ctx.escalate(Escalation::Abort);
        });
        assert!(matches!(cause, CauseKind::RequestedBy { .. }), "{cause}");
        let cause = with_the_only_thread_busy(|_, ctx| ctx.escalate(Escalation::Abort));
        assert!(matches!(cause, CauseKind::RequestedBy { .. }), "{cause}");
    })
    .passed();
}

/// Invariants 3 and 11. With every worker blocked: `triggers`.
#[test]
fn a_drop_of_the_manager_acts_at_once_on_the_thread_that_drops_it() {
    child::run(|| {
        current_thread().block_on(async {
            let manager = short().build().unwrap();
            let work = manager.run(worker("work")).unwrap();
            let (group, handle) = (manager.group(), manager.handle());
            elsewhere(|| drop(manager));
            assert_eq!(group.step(), Step::Stopping);
            assert_eq!(work.ended().await, Outcome::Completed);
            if let Ok(report) = handle.wait().await {
                assert_eq!(report.cause().kind, CauseKind::Dropped);
            }
        });
        let manager = short().build().unwrap();
        let group = manager.group();
        elsewhere(|| drop(manager));
        assert_eq!(group.step(), Step::Draining, "and it gets no further: it runs nothing");
    })
    .passed();
}

/// Invariant 3.
#[test]
fn a_stop_of_one_task_cancels_its_context_on_the_thread_that_calls_it() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let (sender, receiver) = mpsc::channel();
            let task = manager.run(Lends(sender)).unwrap();
            let ctx = receiver.recv().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            elsewhere(|| task.stop());
            assert!(ctx.is_cancelled());
            assert_eq!(manager.group().step(), Step::Running, "its end would stop the group");
        });
    })
    .passed();
}

/// Invariant 3.
#[test]
fn an_end_on_a_runtime_that_is_not_blocked_stops_the_group_at_once() {
    child::run(|| {
        for (fails, panics) in [(true, false), (false, true), (false, false)] {
            workers(1).block_on(async {
                let manager = short().build().unwrap();
                let ctx = context(&manager);
                block_workers(|task| manager.run(task).unwrap(), 1);
                let other = workers(1);
                let entered = other.enter();
                let began = Instant::now();
                let ends = task_fn("ends", async move |_| {
                    assert!(!panics, "over");
                    anyhow::ensure!(!fails, "over");
                    Ok(())
                });
                let ends = manager.run(ends).unwrap();
                drop(entered);
                let outcome = ends.ended().await;
                assert_eq!(manager.group().step(), Step::Stopping);
                assert!(ctx.is_cancelled());
                let error = manager.wait().await.unwrap_err();
                assert_by("the end after that of a task", began, SECOND);
                let report = error.report().unwrap();
                let cause = &report.cause().kind;
                let is_end = |kind: &CauseKind| matches!(kind, CauseKind::TaskEnded { outcome: how, .. } if *how == outcome);
                assert!(is_end(cause), "{report}");
            });
        }
    })
    .passed();
}

/// Invariant 3.
#[test]
fn the_last_work_to_end_completes_the_group_with_every_worker_blocked() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = Arc::new(short().build().unwrap());
            let run =
                |task: task_manager::BoxTask| manager.run(task.in_phase(Phase::SUPPORT)).unwrap();
            block_workers(run, 1);
            let (release, released) = mpsc::channel::<()>();
            let other = workers(1);
            let entered = other.enter();
            let last = task_fn("last", async move |_| Ok(released.recv()?));
            manager.run_ephemeral(last).unwrap();
            drop(entered);
            let mut wait = std::pin::pin!(manager.wait());
            // Completion is judged once something waits.
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(wait.as_mut().poll(cx).is_pending())
            });
            assert!(polled.await);
            let began = Instant::now();
            release.send(()).unwrap();
            let error = wait.await.unwrap_err();
            assert_by("the end of a completed group", began, SECOND);
            assert_eq!(error.report().unwrap().cause().kind, CauseKind::Completed);
        });
    })
    .passed();
}

/// Invariant 3.
#[test]
fn a_runtime_that_is_shut_down_stops_the_groups_of_its_tasks_from_the_thread_that_does_it() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = short().build().unwrap();
            let ctx = context(&manager);
            block_workers(|task| manager.run(task).unwrap(), 1);
            let mut other = tokio::runtime::Builder::new_current_thread();
            let other = other.enable_all().build().unwrap();
            let entered = other.enter();
            manager.run(worker("other")).unwrap();
            drop(entered);
            elsewhere(|| other.shutdown_background());
            assert!(ctx.is_cancelled());
            let error = manager.wait().await.unwrap_err();
            assert!(matches!(error.root().unwrap().kind, FailureKind::RuntimeGone), "{error}");
        });
    })
    .passed();
}

/// Invariant 3. The deadline thread looks a moment after Tokio's timer would have.
#[test]
fn the_start_timeout_is_kept_with_every_worker_blocked_and_with_the_only_thread_busy() {
    child::run(|| {
        let start = Duration::from_millis(300);
        workers(2).block_on(async {
            let began = Instant::now();
            let manager = short().start_timeout(start).build().unwrap();
            let run = |task: task_manager::BoxTask| manager.run(task.gating_readiness()).unwrap();
            block_workers(run, 2);
            let error = manager.wait().await.unwrap_err();
            assert_by("the end after a start timeout", began, start + SECOND);
            assert_eq!(error.report().unwrap().cause().kind, CauseKind::StartTimeout);
            let text = error.to_string();
            assert!(text.contains("`stuck-0` is not ready (in a loop without await)"), "{text}");
        });
        current_thread().block_on(async {
            let began = Instant::now();
            let manager = short().start_timeout(start).build().unwrap();
            let work = manager.run(worker("work").gating_readiness()).unwrap();
            let group = manager.group();
            // As a setup that blocks.
            while group.step() == Step::Running && began.elapsed() < 5 * SECOND {
                thread::sleep(Duration::from_millis(1));
            }
            assert_on_time("a start timeout in a busy setup", began, start);
            assert_eq!(work.ended().await, Outcome::Completed);
            let error = manager.wait().await.unwrap_err();
            assert_eq!(error.report().unwrap().cause().kind, CauseKind::StartTimeout);
        });
    })
    .passed();
}

/// Invariants 3 and 7. What cannot act at its instant: a nested group hears of the outer one when
/// its task is polled. Until then the outer deadline holds.
#[test]
fn a_stop_of_the_outer_group_reaches_a_nested_one_when_its_task_is_polled() {
    child::run(|| {
        workers(1).block_on(async {
            let outer = short().name("outer").build().unwrap();
            let inner = Manager::builder().name("inner").build().unwrap();
            inner.run(worker("work")).unwrap();
            let group = inner.group();
            let inner = outer.run(inner.into_task()).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            block_workers(|task| outer.run(task).unwrap(), 1);
            let began = Instant::now();
            outer.stop();
            assert_eq!(group.step(), Step::Running);
            let error = outer.wait().await.unwrap_err();
            assert_by("the end of the outer group", began, SECOND);
            assert_eq!(inner.outcome(), Some(Outcome::Abandoned));
            assert_eq!(group.step(), Step::Running, "its runtime is still blocked");
            let report = error.report().unwrap();
            assert!(report.to_string().contains("inner/work"), "{report}");
        });
    })
    .passed();
}
