//! Who may call what from where: tasks, hooks, other threads, other runtimes (invariants 4, 5 and 11).

use std::{
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use task_manager::{CauseKind, Context, Manager, Outcome, Step, Task, blocking_task, task_fn};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::Instant,
};

use crate::support::{Journal, SECOND, deaf, slow, worker};

fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn stop_from_inside_a_task_only_signals_and_returns_at_once() {
    let manager = Manager::new();
    let handle = manager.handle();
    let journal = Journal::default();
    let noted = journal.clone();
    manager
        .run(task_fn("stops", async move |ctx: Context| {
            handle.stop();
            noted.note("goes on");
            assert!(ctx.is_cancelled());
            tokio::time::sleep(SECOND).await;
            noted.note("ended in its own time");
            Ok(())
        }))
        .unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Stopped);
    assert_eq!(journal.read(), ["goes on", "ended in its own time"]);
}

#[test]
fn a_thousand_callers_on_two_runtimes_get_the_same_result() {
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

#[tokio::test(start_paused = true)]
async fn stop_and_wait_from_a_hundred_callers_is_one_shutdown_with_one_round_of_cleanups() {
    let manager = Arc::new(Manager::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    manager
        .cleanup("close", async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    let callers: Vec<_> = (0..100)
        .map(|index| {
            let manager = manager.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(index)).await;
                manager.shutdown().await.unwrap()
            })
        })
        .collect();
    for caller in callers {
        let report = caller.await.unwrap();
        assert_eq!(report.cause().kind, CauseKind::Stopped);
        assert_eq!(report.later_triggers().len(), 16, "the rest has no room");
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_dropped_in_the_middle_of_the_shutdown_changes_nothing_and_cleanups_run_once() {
    let manager = Manager::new();
    let journal = Journal::default();
    manager.run(slow("work", 2 * SECOND, &journal)).unwrap();
    let noted = journal.clone();
    manager
        .cleanup("close", async move || {
            tokio::time::sleep(SECOND).await;
            noted.note("closed");
            Ok(())
        })
        .unwrap();
    let began = Instant::now();
    for _ in 0..5 {
        tokio::time::timeout(SECOND / 2, manager.shutdown()).await.unwrap_err();
    }
    manager.shutdown().await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND, "no wait restarted the clock");
    assert_eq!(journal.read(), ["work stopping", "work ended", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_owner_of_a_manager_may_drop_it_inside_one_of_its_tasks() {
    let manager = Arc::new(Manager::new());
    let mut group = manager.group();
    let owned = manager.clone();
    let task = manager
        .run(task_fn("owns its manager", async move |ctx: Context| {
            tokio::task::yield_now().await;
            drop(owned);
            assert!(ctx.is_cancelled());
            Ok(())
        }))
        .unwrap();
    drop(manager);
    assert_eq!(task.ended().await, Outcome::Completed);
    while group.step() != Step::Ended {
        group.changed().await;
    }
    assert_eq!(group.snapshot().cause.unwrap(), "the manager was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_manager_leaves_no_task_on_the_runtime() {
    let before = Handle::current().metrics().num_alive_tasks();
    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    manager.run(deaf("deaf")).unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    let handle = manager.handle();
    drop(manager);
    handle.wait().await.unwrap_err();
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    drop(handle);
}

#[tokio::test(start_paused = true)]
async fn a_handle_keeps_nothing_alive_and_is_refused_once_its_manager_is_gone() {
    let manager = Manager::new();
    let handle = manager.handle();
    manager.shutdown().await.unwrap();
    drop(manager);
    tokio::task::yield_now().await;
    assert!(handle.group().is_none());
    assert!(handle.wait().await.unwrap_err().is_gone());
    assert!(handle.run(worker("late")).unwrap_err().is_too_late());
    assert!(handle.run_ephemeral(worker("late")).unwrap_err().is_too_late());
    assert!(handle.cleanup("late", async || Ok(())).unwrap_err().is_too_late());
    handle.stop();
}

#[tokio::test(start_paused = true)]
async fn what_a_task_spawns_without_a_hold_is_not_tracked() {
    let before = Handle::current().metrics().num_alive_tasks();
    let manager = Manager::new();
    manager
        .run(task_fn("leaves something behind", async |_| {
            tokio::spawn(std::future::pending::<()>());
            Ok(())
        }))
        .unwrap();
    manager.wait().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1);
}

#[test]
fn tasks_on_two_runtimes_are_both_waited_for_and_stopped() {
    let (one, two) = (workers(1), workers(1));
    let manager = one.block_on(async { Manager::new() });
    let place = |runtime: &Runtime| {
        let _entered = runtime.enter();
        let expected = runtime.handle().id();
        let task = task_fn("work", async move |ctx: Context| {
            assert_eq!(Handle::current().id(), expected, "on its caller's runtime");
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
fn the_end_of_a_runtime_beside_the_managers_own_is_the_end_of_the_tasks_on_it_only() {
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

#[test]
fn a_wait_elsewhere_ends_when_the_managers_runtime_is_shut_down_under_it() {
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
                tokio::time::timeout(10 * SECOND, manager.wait()).await.expect("not for ever")
            })
        }
    });
    while manager.group().readiness().blockers.contains(&task_manager::Blocker::SettingUp) {
        thread::yield_now();
    }
    doomed.shutdown_background();
    let error = waiter.join().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "task `work` lost its runtime");
    assert!(manager.run(worker("late")).unwrap_err().is_too_late());
}

#[test]
fn cleanups_registered_by_many_threads_run_in_the_reverse_order_of_their_registration() {
    let runtime = workers(1);
    // Each hook has a share of this, in real time.
    let manager = Manager::builder().total(100 * SECOND).cleanup_budget(80 * SECOND);
    let manager = runtime.block_on(async { manager.build().unwrap() });
    let journal = Journal::default();
    let (turn, begin) = (Arc::new(std::sync::Mutex::new(0)), Arc::new(Barrier::new(8)));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..20 {
                    let mut turn = turn.lock().unwrap();
                    *turn += 1;
                    let (journal, number) = (journal.clone(), *turn);
                    manager
                        .cleanup("hook", async move || {
                            journal.note(number.to_string());
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
    });
    runtime.block_on(manager.shutdown()).unwrap();
    let expected: Vec<_> = (1..=160).rev().map(|number| number.to_string()).collect();
    assert_eq!(journal.read(), expected);
}

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

#[tokio::test(start_paused = true)]
async fn ten_thousand_tasks_a_second_while_draining_do_not_starve_the_shutdown() {
    let manager = Manager::builder().drain_delay(2 * SECOND).build().unwrap();
    let handle = manager.handle();
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    manager
        .run(
            task_fn("floods", async move |ctx: Context| {
                ctx.draining().await;
                loop {
                    for _ in 0..10 {
                        let job = task_fn("job", async |_| {
                            tokio::task::yield_now().await;
                            Ok(())
                        });
                        if handle.run_ephemeral(job).is_err() {
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    ctx.or_cancelled(tokio::time::sleep(Duration::from_millis(1))).await?;
                }
            })
            .in_phase(task_manager::Phase::SUPPORT),
        )
        .unwrap();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    tokio::task::yield_now().await;
    let began = Instant::now();
    let report = manager.shutdown().await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(report.totals().started > 19_000, "{}", report.totals().started);
    assert!(refused.load(Ordering::SeqCst) > 9_000, "while work was stopped");
    assert_eq!(report.totals().started, report.totals().completed + report.totals().cancelled);
}

#[test]
fn a_run_that_races_the_stop_is_waited_for_or_handed_back() {
    let runtime = workers(2);
    for _ in 0..200 {
        let manager = runtime.block_on(async { Manager::new() });
        let begin = Barrier::new(3);
        let polled = Arc::new(AtomicUsize::new(0));
        let admitted = thread::scope(|scope| {
            let runs = [(); 2].map(|()| {
                scope.spawn(|| {
                    begin.wait();
                    let attempts = (0..20).map(|_| {
                        let polled = polled.clone();
                        let task = task_fn("racing", async move |ctx: Context| {
                            polled.fetch_add(1, Ordering::SeqCst);
                            ctx.cancelled().await;
                            Ok(())
                        });
                        manager.run(task)
                    });
                    attempts.filter_map(Result::ok).collect::<Vec<_>>()
                })
            });
            begin.wait();
            manager.stop();
            runs.map(|run| run.join().unwrap()).concat()
        });
        let report = runtime.block_on(manager.wait()).unwrap();
        assert_eq!(report.totals().started, admitted.len() as u64, "invariant 4");
        assert_eq!(polled.load(Ordering::SeqCst), admitted.len(), "a refused task is never polled");
        for task in admitted {
            assert_eq!(task.outcome(), Some(Outcome::Completed), "invariant 7");
        }
    }
}
