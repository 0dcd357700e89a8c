//! Deadlines on runtimes whose threads are blocked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use task_manager::{FailureKind, Outcome, blocking_task, task_fn};
use tokio::runtime;

use crate::{
    child,
    support::{
        ABORT_WAIT, SECOND, STOP_END, abandoned, assert_on_time, block, block_workers,
        current_thread, short, worker, workers,
    },
};

/// Invariants 3 and 7. FAILURES 19.
#[test]
fn wait_in_block_on_returns_at_the_deadline_with_every_worker_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            assert_on_time("wait with every worker blocked", began, STOP_END);
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["stuck-0", "stuck-1"], "{report}");
            assert_eq!(tasks[0].ended().await, Outcome::Abandoned);
            let text = report.to_string();
            let first = "2 failures: each of 2 tasks was abandoned in a poll that had not returned \
                         (phase WORK had 950 ms) (`stuck-";
            assert!(text.contains(first), "{text}");
            assert_eq!(text.matches("(in a loop without await)").count(), 1, "{text}");
        });
    })
    .passed();
}

/// Invariant 8. FAILURES 22.
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
            assert_on_time("wait with cleanups that cannot run", began, SECOND);
            let report = error.report().unwrap();
            let outcomes: Vec<_> =
                report.cleanups().iter().map(|cleanup| (&*cleanup.name, cleanup.outcome)).collect();
            assert_eq!(outcomes, [("close", None), ("flush", None)], "{report}");
            let failure = report.failures().last().unwrap().to_string();
            // On a busy machine the first cleanup may use up the share of the other one.
            let used_up = "cleanup `flush` was not run: no time was left for it";
            let too_late = "cleanup `flush` was not run: its runtime did not get to it in time";
            assert!(failure == too_late || failure == used_up, "{failure}");
            release.send(()).unwrap();
            // On the one worker this runs after what was spawned before it.
            tokio::spawn(async { tokio::task::yield_now().await }).await.unwrap();
            assert!(!ran.load(Ordering::SeqCst), "the report said that it was not run");
        });
    })
    .passed();
}

/// FAILURES 22.
#[test]
fn a_cleanup_that_blocks_its_worker_is_abandoned_and_the_next_one_runs() {
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
            assert_on_time("wait with a cleanup that blocks", began, Duration::from_millis(100));
            let report = error.report().unwrap();
            let ends: Vec<_> = report.cleanups().iter().map(|cleanup| cleanup.outcome).collect();
            assert_eq!(ends, [Some(Outcome::Abandoned), Some(Outcome::Completed)], "{report}");
        });
    })
    .passed();
}

/// Invariant 7. FAILURES 21.
#[test]
fn a_task_whose_drop_blocks_is_abandoned_and_named() {
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
            assert_on_time("wait with a drop that blocks", began, STOP_END);
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["drops slowly"], "{report}");
            assert_eq!(report.totals().completed, 1, "{report}");
        });
    })
    .passed();
}

/// FAILURES 20.
#[test]
fn a_stuck_spawn_blocking_delays_neither_the_shutdown_nor_the_process() {
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
            assert_on_time("wait with a stuck spawn_blocking", began, STOP_END - ABORT_WAIT);
            assert!(matches!(error.root().unwrap().kind, FailureKind::Aborted { .. }), "{error}");
            assert_eq!(error.root().unwrap().name, "pool");
        });
        let began = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(200));
        assert_on_time("the runtime's shutdown_timeout", began, Duration::from_millis(200));
    })
    .passed();
}

/// Invariant 7. FAILURES 20.
#[test]
fn a_blocking_task_that_does_not_return_is_abandoned_and_its_thread_lives_on() {
    child::run(|| {
        current_thread().block_on(async {
            let manager = short().build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let (sender, ended) = mpsc::channel();
            manager
                .run(blocking_task("thread", move |_| {
                    let _ = released.recv();
                    sender.send(()).unwrap();
                    Ok(())
                }))
                .unwrap();
            let began = Instant::now();
            let error = manager.shutdown().await.unwrap_err();
            assert_on_time("wait with a blocking task", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["thread"]);
            release.send(()).unwrap();
            ended.recv_timeout(5 * SECOND).unwrap();
        });
    })
    .passed();
}
