//! Deadlines hold when the runtime does not (invariants 3 and 7).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{FailureKind, Manager, Outcome, Step, blocking_task, task_fn};
use tokio::runtime;

use crate::{
    child,
    stuck::{
        JOIN, SECOND, STOP_END, abandoned, block, block_workers, current_thread, on_time, short,
        worker, workers,
    },
};

#[test]
fn wait_in_block_on_returns_at_the_deadline_with_every_worker_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with every worker blocked", began, STOP_END);
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["stuck-0", "stuck-1"], "{report}");
            assert_eq!(tasks[0].ended().await, Outcome::Abandoned);
            let text = report.to_string();
            assert!(text.contains("abandoned (in a loop without await)"), "{text}");
        });
    })
    .passed();
}

#[test]
fn a_cleanup_that_no_worker_could_poll_is_reported_as_not_run_and_never_runs_later() {
    child::run(|| {
        workers(1).block_on(async {
            let manager = short().build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let (entered, blocked) = mpsc::channel();
            manager
                .run(task_fn("stuck", async move |_| {
                    entered.send(()).unwrap();
                    let _ = released.recv();
                    Ok(())
                }))
                .unwrap();
            let ran = Arc::new(AtomicBool::new(false));
            for name in ["flush", "close"] {
                let ran = ran.clone();
                manager
                    .cleanup(name, async move || {
                        ran.store(true, Ordering::SeqCst);
                        Ok(())
                    })
                    .unwrap();
            }
            blocked.recv().unwrap();
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with cleanups that cannot run", began, SECOND);
            let report = error.report().unwrap();
            let outcomes: Vec<_> =
                report.cleanups().iter().map(|cleanup| (&*cleanup.name, cleanup.outcome)).collect();
            assert_eq!(outcomes, [("close", None), ("flush", None)], "{report}");
            let failure = report.failures().last().unwrap().to_string();
            // On a machine so busy that the first one took the other's share too, none is left.
            let used_up = "cleanup `flush` was not run: the budget for cleanups was used up";
            let too_late = "cleanup `flush` was not run: its runtime did not get to it in time";
            assert!(failure == too_late || failure == used_up, "{failure}");
            release.send(()).unwrap();
            // Behind what was spawned before it on the one worker.
            tokio::spawn(async { tokio::task::yield_now().await }).await.unwrap();
            assert!(
                !ran.load(Ordering::SeqCst),
                "invariant 8: the report said that it did not run"
            );
        });
    })
    .passed();
}

#[test]
fn a_cleanup_that_blocks_its_worker_is_given_up_and_the_next_one_runs() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager.cleanup("next", async || Ok(())).unwrap();
            manager
                .cleanup("blocks", async || {
                    block();
                    Ok(())
                })
                .unwrap();
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with a cleanup that blocks", began, Duration::from_millis(100));
            let report = error.report().unwrap();
            let ends: Vec<_> = report.cleanups().iter().map(|cleanup| cleanup.outcome).collect();
            assert_eq!(ends, [Some(Outcome::Abandoned), Some(Outcome::Completed)], "{report}");
        });
    })
    .passed();
}

#[test]
fn a_drop_that_blocks_is_given_up_and_named() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            block();
        }
    }
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            manager
                .run(task_fn("drops slowly", async |_| {
                    let _guard = Blocks;
                    std::future::pending().await
                }))
                .unwrap();
            manager.run(worker("other")).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with a drop that blocks", began, STOP_END);
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["drops slowly"], "{report}");
            assert_eq!(report.totals().completed, 1, "{report}");
        });
    })
    .passed();
}

#[test]
fn a_stuck_spawn_blocking_holds_neither_the_shutdown_nor_the_process() {
    child::run(|| {
        let runtime = runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let manager = short().build().unwrap();
            manager
                .run(task_fn("pool", async |_| {
                    tokio::task::spawn_blocking(block).await?;
                    Ok(())
                }))
                .unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with a stuck spawn_blocking", began, STOP_END - JOIN);
            assert!(matches!(error.root().unwrap().kind, FailureKind::Aborted), "{error}");
            assert_eq!(error.root().unwrap().name, "pool");
        });
        let began = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(200));
        on_time("the runtime's shutdown_timeout", began, Duration::from_millis(200));
    })
    .passed();
}

#[test]
fn a_blocking_task_that_does_not_return_is_given_up_and_its_thread_lives_on() {
    child::run(|| {
        current_thread().block_on(async {
            let manager = short().build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let (told, ended) = mpsc::channel();
            manager
                .run(blocking_task("thread", move |_| {
                    let _ = released.recv();
                    told.send(()).unwrap();
                    Ok(())
                }))
                .unwrap();
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            on_time("wait with a blocking task", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["thread"]);
            release.send(()).unwrap();
            ended.recv_timeout(5 * SECOND).unwrap();
        });
    })
    .passed();
}

#[test]
fn a_manager_dropped_in_a_wedge_still_ends_by_its_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let mut group = manager.group();
            let handle = manager.handle();
            let began = Instant::now();
            drop(manager);
            let error = handle.wait().await.unwrap_err();
            on_time("the end of a dropped manager", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
            assert_eq!(tasks[1].outcome(), Some(Outcome::Abandoned));
            while group.step() != Step::Ended {
                group.changed().await;
            }
        });
    })
    .passed();
}

#[test]
fn two_managers_in_one_process_each_keep_their_own_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let (long, soon) = (short(), short());
            let long = long.total(2 * SECOND).build().unwrap();
            let soon = soon.build().unwrap();
            long.run(worker("healthy")).unwrap();
            block_workers(|task| soon.run(task).unwrap(), 2);
            let began = Instant::now();
            long.stop();
            soon.stop();
            let error = soon.wait().await.unwrap_err();
            on_time("the first of two managers", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
            let error = long.wait().await.unwrap_err();
            on_time("the second of two managers", began, SECOND + STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["healthy"]);
        });
    })
    .passed();
}

#[test]
fn an_abort_escalation_takes_effect_with_every_worker_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::builder().total(20 * SECOND).build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            // As the thread of a signal task does.
            let (tell, context) = mpsc::channel();
            manager
                .run_ephemeral(blocking_task("escalates", move |_| {
                    unreachable!("no worker starts its thread")
                }))
                .unwrap();
            let helper = current_thread();
            let entered = helper.enter();
            manager
                .run_ephemeral(task_fn("elsewhere", async move |ctx| {
                    tell.send(ctx.clone()).unwrap();
                    ctx.cancelled().await;
                    Ok(())
                }))
                .unwrap();
            drop(entered);
            let driven = thread::spawn(move || {
                helper.block_on(async { tokio::time::sleep(5 * SECOND).await });
            });
            let ctx = context.recv_timeout(5 * SECOND).unwrap();
            let began = Instant::now();
            thread::spawn(move || ctx.escalate(task_manager::Escalation::Abort));
            let error = manager.wait().await.unwrap_err();
            // Aborted at once; then the time to be dropped.
            // 250 ms to end by itself, and as long to be dropped.
            on_time("an abort with every worker blocked", began, Duration::from_millis(500));
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["escalates", "stuck-0", "stuck-1"], "{report}");
            assert!(!driven.is_finished());
        });
    })
    .passed();
}

#[test]
fn a_manager_that_changed_before_it_had_a_runtime_keeps_its_deadlines_with_every_worker_blocked() {
    child::run(|| {
        let manager = short().build().unwrap();
        let stuck = async || {
            block();
            Ok(())
        };
        manager.cleanup("stuck", stuck).unwrap();
        for _ in 0..2 {
            let mut group = manager.group();
            let mut changed = Box::pin(async move { group.changed().await });
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(changed.as_mut().poll(&mut cx).is_pending());
            std::mem::forget(changed);
        }
        manager.stop();
        workers(1).block_on(async {
            let began = Instant::now();
            let error = manager.wait().await.unwrap_err();
            on_time("wait of a manager stopped before its runtime", began, SECOND - STOP_END);
            let cleanups = error.report().unwrap().cleanups();
            assert_eq!(cleanups[0].outcome, Some(Outcome::Abandoned));
        });
    })
    .passed();
}
