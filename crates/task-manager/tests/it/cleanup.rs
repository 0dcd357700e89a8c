//! Cleanups: order, isolation, how much of the budget each has, late registration.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{FailureKind, FailureOrigin, Manager, ManagerHandle, Outcome, task_fn};
use tokio::time::Instant;

use crate::support::{Journal, SECOND, slow, worker};

/// Invariant 8. FAILURES 14.
#[tokio::test(start_paused = true)]
async fn cleanups_run_in_reverse_order_after_the_tasks_and_a_failed_one_stops_no_other() {
    let manager = Manager::new();
    let journal = Journal::default();
    manager.run(slow("work", SECOND, &journal)).unwrap();
    for name in ["first", "second", "third"] {
        let journal = journal.clone();
        manager
            .cleanup(name, async move || {
                journal.note(name);
                match name {
                    "second" => Err(anyhow!("cannot close")),
                    "third" => panic!("broken"),
                    _ => Ok(()),
                }
            })
            .unwrap();
    }
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(journal.read(), ["work stopping", "work ended", "third", "second", "first"]);
    let report = error.report().unwrap();
    let ends: Vec<_> = report.cleanups().iter().map(|cleanup| cleanup.outcome.unwrap()).collect();
    assert_eq!(ends, [Outcome::Panicked, Outcome::Failed, Outcome::Completed]);
    assert_eq!(report.failures().len(), 2);
    assert_eq!(report.failures()[1].origin, FailureOrigin::Cleanup);
    assert_eq!(report.failures()[1].to_string(), "cleanup `second` failed: cannot close");
}

/// FAILURES 22.
#[tokio::test(start_paused = true)]
async fn a_cleanup_that_hangs_has_all_but_a_little_and_the_next_ones_get_the_rest() {
    let manager = Manager::builder().cleanup_timeout(5 * SECOND).build().unwrap();
    let journal = Journal::default();
    for name in ["a", "b"] {
        let journal = journal.clone();
        manager
            .cleanup(name, async move || {
                tokio::time::sleep(SECOND / 2).await;
                journal.note(name);
                Ok(())
            })
            .unwrap();
    }
    manager.cleanup("hangs", async || std::future::pending().await).unwrap();
    let began = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(journal.read(), ["b", "a"]);
    assert_eq!(error.to_string(), "cleanup `hangs` was aborted at its deadline (it had 3.08 s)");
    assert!(began.elapsed() < 4 * SECOND + SECOND / 4, "two thirds of 5 s: {:?}", began.elapsed());
}

/// Invariant 8. FAILURES 34 and 35.
#[tokio::test(start_paused = true)]
async fn a_cleanup_registered_by_a_cleanup_runs_next_and_one_after_the_end_is_refused() {
    let manager = Manager::new();
    let journal = Journal::default();
    let (handle, noted) = (manager.handle(), journal.clone());
    manager
        .cleanup("outer", async move || {
            noted.note("outer");
            let late = noted.clone();
            handle.cleanup("late", async move || {
                late.note("late");
                Ok(())
            })?;
            Ok(())
        })
        .unwrap();
    manager.shutdown().await.unwrap();
    assert_eq!(journal.read(), ["outer", "late"]);
    let refused = manager.cleanup("after", async || Ok(())).unwrap_err();
    assert!(refused.is_too_late());
    refused.into_inner()().await.unwrap();
}

/// Invariant 4. FAILURES 33.
#[tokio::test(start_paused = true)]
async fn run_is_refused_from_a_cleanup() {
    let manager = Manager::new();
    let handle = manager.handle();
    manager
        .cleanup("hook", async move || {
            assert!(handle.run(worker("late")).unwrap_err().is_too_late());
            Ok(())
        })
        .unwrap();
    manager.shutdown().await.unwrap();
}

/// Invariant 1. FAILURES 50.
#[test]
fn when_the_runtime_is_gone_tasks_end_and_cleanups_are_reported_as_not_run() {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let doomed =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let manager = {
        let _entered = doomed.enter();
        let manager = Manager::new();
        manager.run(worker("work")).unwrap();
        manager.run(task_fn("other", async |_| std::future::pending().await)).unwrap();
        manager.cleanup("close", async || Ok(())).unwrap();
        manager
    };
    doomed.shutdown_background();
    let error = waiting.block_on(manager.wait()).unwrap_err();
    let report = error.report().unwrap();
    let lost =
        report.failures().iter().filter(|failure| matches!(failure.kind, FailureKind::RuntimeGone));
    assert_eq!(lost.count(), 2, "{report}");
    let not_run = report.failures().last().unwrap();
    assert_eq!(not_run.to_string(), "cleanup `close` was not run: its runtime is gone");
    assert_eq!(report.cleanups()[0].outcome, None);
}

/// Invariants 2 and 8. FAILURES 41.
#[tokio::test(start_paused = true)]
async fn with_a_cleanup_timeout_of_zero_cleanups_are_reported_as_not_run() {
    let manager = Manager::builder().cleanup_timeout(Duration::ZERO).build().unwrap();
    let journal = Journal::default();
    for name in ["a", "b", "c"] {
        let journal = journal.clone();
        manager
            .cleanup(name, async move || {
                journal.note(name);
                Ok(())
            })
            .unwrap();
    }
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert!(journal.read().is_empty(), "{:?}", journal.read());
    let ends: Vec<_> =
        report.cleanups().iter().map(|cleanup| (&*cleanup.name, cleanup.outcome)).collect();
    assert_eq!(ends, [("c", None), ("b", None), ("a", None)]);
    assert_eq!(
        report.failures()[0].to_string(),
        "cleanup `c` was not run: no time was left for it"
    );
    assert_eq!(report.failures().len(), 3);
}

/// Invariant 3. FAILURES 34.
#[tokio::test(start_paused = true)]
async fn a_cleanup_that_registers_itself_repeatedly_ends_with_the_cleanup_budget() {
    fn register(handle: ManagerHandle, runs: Arc<AtomicUsize>) {
        let again = handle.clone();
        let _ = handle.cleanup("again", async move || {
            runs.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(SECOND / 10).await;
            register(again, runs);
            Ok(())
        });
    }
    let manager = Manager::builder().cleanup_timeout(5 * SECOND).build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    register(manager.handle(), runs.clone());
    let began = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 5 * SECOND, "the budget is fixed");
    assert!(runs.load(Ordering::SeqCst) >= 40, "{}", runs.load(Ordering::SeqCst));
    let report = error.report().unwrap();
    assert_eq!(report.failures().len(), 1, "{report}");
}

/// Invariants 3 and 8. FAILURES 22.
#[tokio::test(start_paused = true)]
async fn the_cleanup_budget_is_shared_and_all_cleanups_but_the_hanging_ones_run() {
    let manager = Manager::builder().cleanup_timeout(5 * SECOND).build().unwrap();
    let journal = Journal::default();
    for index in 0..10 {
        let journal = journal.clone();
        manager
            .cleanup(format!("{index}"), async move || {
                if index % 2 == 0 {
                    std::future::pending::<()>().await;
                }
                journal.note(index.to_string());
                Ok(())
            })
            .unwrap();
    }
    let began = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 5 * SECOND, "{:?}", began.elapsed());
    assert_eq!(journal.read(), ["9", "7", "5", "3", "1"]);
    let aborted = error.report().unwrap().failures().iter();
    assert!(aborted.clone().all(|failure| matches!(failure.kind, FailureKind::Aborted { .. })));
    assert_eq!(aborted.count(), 5);
}
