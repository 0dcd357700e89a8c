//! Shutdowns of a blocked runtime that begin by a drop, by an escalation, beside another shutdown,
//! or before there was a runtime. What else begins one is in `callers`.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use task_manager::{CauseKind, Context, Escalation, Hold, Manager, Outcome, Step, blocking_task};

use crate::{
    child,
    support::{
        CLEANUPS, SECOND, STOP_END, abandoned, assert_on_time, block, block_workers, short, worker,
        workers,
    },
};

/// Invariants 3, 7 and 11. FAILURES 29.
#[test]
fn a_manager_dropped_with_every_worker_blocked_ends_by_its_deadline() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = short().build().unwrap();
            let tasks = block_workers(|task| manager.run(task).unwrap(), 2);
            let mut group = manager.group();
            let handle = manager.handle();
            let began = Instant::now();
            drop(manager);
            let error = handle.wait().await.unwrap_err();
            assert_on_time("the end of a dropped manager", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
            assert_eq!(tasks[1].outcome(), Some(Outcome::Abandoned));
            while group.step() != Step::Ended {
                group.changed().await;
            }
        });
    })
    .passed();
}

/// Invariants 3 and 7.
#[test]
fn several_managers_in_one_process_keep_their_own_deadlines() {
    child::run(|| {
        workers(2).block_on(async {
            let (long, soon) = (short(), short());
            let long = long.shutdown_timeout(2 * SECOND).build().unwrap();
            let soon = soon.build().unwrap();
            long.run(worker("healthy")).unwrap();
            block_workers(|task| soon.run(task).unwrap(), 2);
            let began_long = Instant::now();
            long.stop();
            // Until the deadline thread sleeps until the later of the two.
            thread::sleep(SECOND / 10);
            let began = Instant::now();
            soon.stop();
            // Enough for the deadline thread to purge its list of managers.
            let others: Vec<_> = (0..8).map(|_| short().build().unwrap()).collect();
            for other in &others {
                other.run(worker("other")).unwrap();
                other.stop();
            }
            let error = soon.wait().await.unwrap_err();
            assert_on_time("the first of many managers", began, STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["stuck-0", "stuck-1"]);
            let error = long.wait().await.unwrap_err();
            assert_on_time("the last of many managers", began_long, SECOND + STOP_END);
            assert_eq!(abandoned(error.report().unwrap()), ["healthy"]);
        });
    })
    .passed();
}

/// Invariants 3 and 7.
#[test]
fn an_abort_escalation_takes_effect_with_every_worker_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let manager = Manager::builder().shutdown_timeout(20 * SECOND).build().unwrap();
            block_workers(|task| manager.run(task).unwrap(), 2);
            // As the thread of a signal task does: by a context, outside of the runtime.
            let (go, may_go) = mpsc::channel::<()>();
            manager
                .run_ephemeral(blocking_task("escalates", move |ctx| {
                    may_go.recv()?;
                    ctx.escalate(Escalation::Abort);
                    Ok(())
                }))
                .unwrap();
            let began = Instant::now();
            go.send(()).unwrap();
            let error = manager.wait().await.unwrap_err();
            // 250 ms to end, and as long to be dropped.
            assert_on_time("an abort with every worker blocked", began, Duration::from_millis(500));
            let report = error.report().unwrap();
            assert_eq!(abandoned(report), ["escalates", "stuck-0", "stuck-1"], "{report}");
        });
    })
    .passed();
}

/// Invariants 1 and 2.
#[test]
fn a_failure_on_a_thread_of_a_task_stops_the_group_with_every_worker_blocked() {
    fn error(_: Context, _: Hold) -> anyhow::Result<()> {
        Err(anyhow!("no disk"))
    }
    fn panic(_: Context, _: Hold) -> anyhow::Result<()> {
        panic!("no disk")
    }
    fn panic_of_a_holder(_: Context, hold: Hold) -> anyhow::Result<()> {
        let holder = move || {
            let _hold = hold;
            panic!("no disk");
        };
        let _ = thread::spawn(holder).join();
        // For longer than the test waits for the cause.
        thread::sleep(5 * SECOND);
        Ok(())
    }
    child::run(|| {
        for fail in [error, panic, panic_of_a_holder] {
            workers(2).block_on(async {
                let manager = short().build().unwrap();
                block_workers(|task| manager.run(task).unwrap(), 2);
                let (go, may_go) = mpsc::channel::<()>();
                let fails = blocking_task("fails", move |ctx: Context| {
                    may_go.recv()?;
                    let hold = ctx.hold();
                    fail(ctx, hold)
                });
                manager.run(fails).unwrap();
                let mut group = manager.group();
                let began = Instant::now();
                go.send(()).unwrap();
                while group.step() == Step::Running {
                    group.changed().await;
                }
                assert_on_time("a failure on a thread", began, Duration::ZERO);
                let error = manager.wait().await.unwrap_err();
                let report = error.report().unwrap();
                let is_cause = matches!(
                    &report.cause().kind,
                    CauseKind::TaskEnded { task, outcome: Outcome::Failed | Outcome::Panicked, .. }
                        if task == "fails"
                );
                assert!(is_cause, "{report}");
                assert!(report.failures()[0].to_string().ends_with("no disk"), "{report}");
                assert_eq!(abandoned(report), ["fails", "stuck-0", "stuck-1"], "{report}");
            });
        }
    })
    .passed();
}

/// Invariant 3.
#[test]
fn a_manager_stopped_before_it_has_a_runtime_keeps_its_deadlines_on_a_blocked_one() {
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
            assert_on_time("wait of a manager stopped before its runtime", began, CLEANUPS);
            let cleanups = error.report().unwrap().cleanups();
            assert_eq!(cleanups[0].outcome, Some(Outcome::Abandoned));
        });
    })
    .passed();
}
