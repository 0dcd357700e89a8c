//! Groups on more than one runtime, and work beside the group on a runtime.

use std::{rc::Rc, sync::Arc, thread};

use task_manager::{Blocker, Context, Manager, Outcome, Step, blocking_task, task_fn};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::support::{SECOND, worker, workers};

/// Invariant 5. FAILURES 26.
#[test]
fn a_thousand_waits_on_two_runtimes_get_the_same_result() {
    let (one, two) = (workers(1), workers(1));
    let manager = Arc::new({
        let _entered = one.enter();
        Manager::new()
    });
    let _entered = one.enter();
    manager.run(worker("work")).unwrap();
    let waits: Vec<_> = (0..1_000)
        .map(|index| {
            let manager = manager.clone();
            let runtime = if index % 2 == 0 { &one } else { &two };
            runtime.spawn(async move { manager.wait().await.unwrap().steps().ended })
        })
        .collect();
    manager.stop();
    let first = two.block_on(manager.wait()).unwrap().steps().ended;
    for wait in waits {
        assert_eq!(two.block_on(wait).unwrap(), first);
    }
}

/// FAILURES 23.
#[tokio::test(start_paused = true)]
async fn what_a_task_spawns_without_a_hold_is_not_tracked() {
    let before = Handle::current().metrics().num_alive_tasks();
    let manager = Manager::new();
    manager
        .run(task_fn("spawns", async |_| {
            tokio::spawn(std::future::pending::<()>());
            Ok(())
        }))
        .unwrap();
    manager.wait().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1);
}

/// Invariant 7. FAILURES 52.
#[test]
fn tasks_on_two_runtimes_are_both_stopped_and_waited_for() {
    let (one, two) = (workers(1), workers(1));
    let manager = one.block_on(async { Manager::new() });
    let place = |runtime: &Runtime| {
        let _entered = runtime.enter();
        let expected = runtime.handle().id();
        let task = task_fn("work", async move |ctx: Context| {
            assert_eq!(Handle::current().id(), expected, "on the runtime of its caller");
            ctx.cancelled().await;
            Ok(())
        });
        manager.run(task).unwrap()
    };
    let tasks = [place(&one), place(&two)];
    let report = two.block_on(manager.shutdown()).unwrap();
    assert_eq!(report.totals().completed, 2);
    assert_eq!(tasks.map(|task| task.outcome()), [Some(Outcome::Completed); 2]);
}

#[test]
fn a_group_stopped_before_it_has_a_runtime_runs_its_cleanups_once_it_has_one() {
    let manager = Manager::new();
    let (sender, cleaned) = std::sync::mpsc::channel();
    manager
        .cleanup("close", async move || {
            sender.send(Handle::current().id())?;
            Ok(())
        })
        .unwrap();
    manager.stop();
    assert_eq!(manager.group().step(), Step::Draining);
    let runtime = workers(1);
    let report = runtime.block_on(manager.wait()).unwrap();
    assert_eq!(cleaned.try_recv(), Ok(runtime.handle().id()));
    assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed));
}

/// Invariant 1. FAILURES 50.
#[test]
fn the_end_of_a_runtime_other_than_the_managers_own_ends_only_the_tasks_on_it() {
    let (own, other) = (workers(1), workers(1));
    let manager = own.block_on(async { Manager::new() });
    let lost = {
        let _entered = other.enter();
        manager.run_ephemeral(worker("elsewhere")).unwrap()
    };
    manager.cleanup("close", async || Ok(())).unwrap();
    other.shutdown_background();
    let error = own.block_on(manager.wait()).unwrap_err();
    assert_eq!(own.block_on(lost.ended()), Outcome::Aborted);
    assert_eq!(error.to_string(), "task `elsewhere` lost its runtime");
    assert_eq!(error.report().unwrap().cleanups()[0].outcome, Some(Outcome::Completed));
}

/// Invariants 1 and 5. FAILURES 50.
#[test]
fn a_wait_on_another_runtime_ends_when_the_managers_own_is_shut_down() {
    let doomed = workers(1);
    let manager = Arc::new(doomed.block_on(async { Manager::new() }));
    {
        let _entered = doomed.enter();
        manager.run(worker("work")).unwrap();
    }
    let waiter = thread::spawn({
        let manager = manager.clone();
        move || {
            let waiting = Builder::new_current_thread().enable_all().build().unwrap();
            waiting.block_on(async {
                tokio::time::timeout(10 * SECOND, manager.wait()).await.expect("wait does not end")
            })
        }
    });
    while manager.group().readiness().blockers.contains(&Blocker::SettingUp) {
        thread::yield_now();
    }
    doomed.shutdown_background();
    let error = waiter.join().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "task `work` lost its runtime");
    assert!(manager.run(worker("late")).unwrap_err().is_too_late());
}

/// FAILURES 54.
#[tokio::test]
async fn work_that_is_not_send_runs_on_a_runtime_inside_a_blocking_task() {
    let manager = Manager::new();
    let task = manager
        .run(blocking_task("local", |ctx: Context| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let local = Rc::new(7);
                ctx.request_stop(format!("found {local}"));
                ctx.cancelled().await;
                assert_eq!(Rc::strong_count(&local), 1);
            });
            Ok(())
        }))
        .unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(task.outcome(), Some(Outcome::Completed));
    assert_eq!(report.cause().to_string(), "found 7 (task `local`)");
}
