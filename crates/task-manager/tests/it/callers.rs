//! Calls from tasks, cleanups, wakers and other threads, and several at once.

use std::{
    hint,
    pin::pin,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{self, Wake, Waker},
    thread,
    time::Duration,
};

use task_manager::{CauseKind, Context, Manager, ManagerHandle, Outcome, Step, Task, task_fn};
use tokio::{runtime::Handle, time::Instant};

use crate::support::{Journal, SECOND, begin_wait, slow, unresponsive, worker, workers};

/// FAILURES 24.
#[tokio::test(start_paused = true)]
async fn stop_from_inside_a_task_requests_the_stop_and_returns_at_once() {
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
            noted.note("ended");
            Ok(())
        }))
        .unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Stopped);
    assert_eq!(journal.read(), ["goes on", "ended"]);
}

/// Invariants 5 and 8. FAILURES 28.
#[tokio::test(start_paused = true)]
async fn a_hundred_callers_of_shutdown_get_one_shutdown_and_one_round_of_cleanups() {
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
        assert_eq!((report.later_triggers().len(), report.omitted_triggers()), (16, 83));
        let later = "\n  then: stop was called (16 times from +1 ms on), 83 more\n";
        assert!(report.to_string().contains(later), "{report}");
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

/// Invariants 3, 5 and 8. FAILURES 27.
#[tokio::test(start_paused = true)]
async fn a_wait_dropped_during_the_shutdown_changes_nothing_and_cleanups_run_once() {
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
    assert_eq!(began.elapsed(), 3 * SECOND, "no wait restarted the budget");
    assert_eq!(journal.read(), ["work stopping", "work ended", "closed"]);
}

/// Invariant 11. FAILURES 30.
#[tokio::test(start_paused = true)]
async fn the_last_owner_may_drop_the_manager_in_one_of_its_tasks() {
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

/// Invariant 11. FAILURES 29.
#[tokio::test(start_paused = true)]
async fn a_dropped_manager_leaves_no_task_on_the_runtime() {
    let before = Handle::current().metrics().num_alive_tasks();
    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    manager.run(unresponsive("unresponsive")).unwrap();
    manager.cleanup("close", async || Ok(())).unwrap();
    let handle = manager.handle();
    drop(manager);
    handle.wait().await.unwrap_err();
    tokio::task::yield_now().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    drop(handle);
}

/// FAILURES 32.
#[tokio::test(start_paused = true)]
async fn a_handle_keeps_no_group_alive_and_is_refused_once_its_manager_is_dropped() {
    let manager = Manager::new();
    let handle = manager.handle();
    handle.ready().await.unwrap();
    manager.shutdown().await.unwrap();
    drop(manager);
    tokio::task::yield_now().await;
    assert!(handle.group().is_none());
    assert!(handle.wait().await.unwrap_err().is_gone());
    assert_eq!(handle.ready().await.unwrap_err().to_string(), "the group is shutting down (ended)");
    let refused = handle.run(worker("late")).unwrap_err();
    assert!(refused.is_too_late() && !refused.reason().is_panicked());
    assert!(handle.run_ephemeral(worker("late")).unwrap_err().is_too_late());
    assert!(handle.cleanup("late", async || Ok(())).unwrap_err().is_too_late());
    handle.stop();
}

/// Invariant 8. FAILURES 36.
#[test]
fn cleanups_registered_by_many_threads_run_in_reverse_order_of_registration() {
    let runtime = workers(1);
    // Each cleanup has its part of this, in real time.
    let manager = Manager::builder().shutdown_timeout(100 * SECOND).cleanup_timeout(80 * SECOND);
    let manager = runtime.block_on(async { manager.build().unwrap() });
    let journal = Journal::default();
    let (count, begin) = (Arc::new(Mutex::new(0)), Arc::new(Barrier::new(8)));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..20 {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    let (journal, number) = (journal.clone(), *count);
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

/// Invariants 3 and 4. FAILURES 72.
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
    begin_wait(&manager);
    let began = Instant::now();
    let report = manager.shutdown().await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(report.totals().started > 19_000, "{}", report.totals().started);
    assert!(refused.load(Ordering::SeqCst) > 9_000, "refused while the work stops");
    assert_eq!(report.totals().started, report.totals().completed + report.totals().cancelled);
}

/// Invariants 4 and 7. FAILURES 31.
#[test]
fn a_run_that_races_a_stop_is_waited_for_or_handed_back() {
    let runtime = workers(2);
    for round in 0..300 {
        let manager = runtime.block_on(async {
            // A task that is admitted and not stopped runs into this.
            Manager::builder()
                .shutdown_timeout(12 * SECOND)
                .cleanup_timeout(SECOND)
                .build()
                .unwrap()
        });
        let begin = Barrier::new(3);
        let running = AtomicUsize::new(0);
        let polled = Arc::new(AtomicUsize::new(0));
        let admitted = thread::scope(|scope| {
            let runs = [(); 2].map(|()| {
                scope.spawn(|| {
                    begin.wait();
                    let mut admitted = Vec::new();
                    loop {
                        let polled = polled.clone();
                        let task = task_fn("racing", async move |ctx: Context| {
                            polled.fetch_add(1, Ordering::SeqCst);
                            ctx.cancelled().await;
                            Ok(())
                        });
                        match manager.run(task) {
                            Ok(task) => admitted.push(task),
                            Err(_) => return admitted,
                        }
                        running.fetch_add(1, Ordering::SeqCst);
                    }
                })
            });
            begin.wait();
            // Not before both run tasks, so that the stop comes in the middle of an admission.
            while running.load(Ordering::SeqCst) < 4 + round % 16 {
                hint::spin_loop();
            }
            manager.stop();
            runs.map(|run| run.join().unwrap()).concat()
        });
        let report = runtime.block_on(manager.wait()).unwrap();
        assert_eq!(report.totals().started, admitted.len() as u64, "admitted, or handed back");
        assert_eq!(polled.load(Ordering::SeqCst), admitted.len(), "a refused task is never polled");
        for task in admitted {
            assert_eq!(task.outcome(), Some(Outcome::Completed), "ended before the report");
        }
    }
}

/// Invariant 3. A waker is called by the very turn that it begins the shutdown in, and blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_a_waker_that_then_blocks_takes_effect() {
    struct Stops(ManagerHandle, Mutex<mpsc::Receiver<()>>, AtomicBool);
    impl Wake for Stops {
        fn wake(self: Arc<Self>) {
            self.0.stop();
            let stopped = self.1.lock().unwrap().recv_timeout(10 * SECOND);
            self.2.store(stopped.is_ok(), Ordering::SeqCst);
        }
    }
    let manager = Manager::new();
    let (sender, stopped) = mpsc::channel();
    let work = async move |ctx: Context| {
        ctx.cancelled().await;
        let _ = sender.send(());
        Ok(())
    };
    manager.run(task_fn("work", work)).unwrap();
    let stops = Arc::new(Stops(manager.handle(), Mutex::new(stopped), AtomicBool::new(false)));
    let mut group = manager.group();
    let mut changed = pin!(group.changed());
    let waker = Waker::from(stops.clone());
    assert!(changed.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
    manager.wait().await.unwrap();
    assert!(stops.2.load(Ordering::SeqCst));
}
