//! Nested groups on a blocked runtime: the outer deadline applies to their tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Context, FailureKind, Manager, Outcome, Phase, Step, Task, task_fn};

use crate::{
    child,
    support::{
        SECOND, STOP_END, assert_on_time, block, block_workers, current_thread, short, worker,
        workers,
    },
};

/// An outer group with a nested group whose tasks block this many workers, and a counter of the
/// cleanups of both that ran.
async fn nested(count: usize) -> (Manager, Arc<AtomicUsize>) {
    let cleaned = Arc::new(AtomicUsize::new(0));
    let (outer, inner) =
        (short().name("outer").build().unwrap(), Manager::builder().name("ingest"));
    let inner = inner.build().unwrap();
    for manager in [&outer, &inner] {
        let cleaned = cleaned.clone();
        let hook = async move || {
            cleaned.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        manager.cleanup("close", hook).unwrap();
    }
    inner.run(worker("other")).unwrap();
    let handle = inner.handle();
    outer.run(inner.into_task()).unwrap();
    // The nested group follows the outer one from the first poll of its task on.
    tokio::time::sleep(Duration::from_millis(50)).await;
    block_workers(|task| handle.run(task).unwrap(), count);
    (outer, cleaned)
}

/// Invariants 7 and 8. FAILURES 39.
#[test]
fn with_every_worker_blocked_the_report_names_the_stuck_tasks_of_a_nested_group() {
    child::run(|| {
        workers(2).block_on(async {
            let (outer, cleaned) = nested(2).await;
            let began = Instant::now();
            let error = outer.shutdown().await.unwrap_err();
            assert_on_time("wait with a nested group stuck", began, SECOND);
            let report = error.report().unwrap();
            let mut names: Vec<_> =
                report.failures().iter().map(|failure| &*failure.name).collect();
            names.sort_unstable();
            assert_eq!(
                names,
                ["close", "ingest", "ingest/other", "ingest/stuck-0", "ingest/stuck-1"],
                "{report}"
            );
            let text = report.to_string();
            let stuck = "each of 2 tasks was abandoned in a poll that had not returned \
                         (`ingest/stuck-0`, `ingest/stuck-1`)";
            assert!(text.contains(stuck), "{text}");
            assert_eq!(cleaned.load(Ordering::SeqCst), 0, "no cleanup ran beside stuck tasks");
        });
    })
    .passed();
}

/// FAILURES 39.
#[test]
fn the_hard_exit_names_the_stuck_tasks_of_a_nested_group() {
    let ended = child::run(|| {
        current_thread().block_on(async {
            let outer = short().name("outer").hard_exit(70).build().unwrap();
            let inner = Manager::builder().name("ingest").build().unwrap();
            inner
                .run(task_fn("stuck", async |ctx| {
                    ctx.cancelled().await;
                    block();
                    Ok(())
                }))
                .unwrap();
            inner.run(worker("other")).unwrap();
            outer.run(inner.into_task()).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = outer.shutdown().await;
        });
    });
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    assert!(ended.stderr.contains("ingest/stuck"), "{}", ended.stderr);
    assert!(ended.took >= STOP_END);
}

/// Invariants 1 and 3.
#[test]
fn a_nested_group_is_aborted_by_the_thread_that_drops_its_task_with_every_worker_blocked() {
    child::run(|| {
        workers(1).block_on(async {
            let outer = short().name("outer").build().unwrap();
            let inner = Manager::builder().name("inner").build().unwrap();
            inner.run(worker("work")).unwrap();
            let group = inner.group();
            let mut other = tokio::runtime::Builder::new_multi_thread();
            let other = other.worker_threads(1).enable_all().build().unwrap();
            let entered = other.enter();
            outer.run(inner.into_task()).unwrap();
            drop(entered);
            // The group is linked, and its `wait` is polled.
            while !group.readiness().is_ready() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            block_workers(|task| outer.run(task).unwrap(), 1);
            thread::spawn(move || other.shutdown_timeout(5 * SECOND)).join().unwrap();
            assert_ne!(group.step(), Step::Running);
            let error = outer.wait().await.unwrap_err();
            assert!(matches!(error.root().unwrap().kind, FailureKind::RuntimeGone), "{error:?}");
        });
    })
    .passed();
}

#[test]
fn a_nested_group_first_polled_after_the_abort_deadline_ends_its_tasks_cleanly() {
    child::run(|| {
        workers(1).block_on(async {
            let outer = short()
                .shutdown_timeout(2 * SECOND)
                .cleanup_timeout(Duration::ZERO)
                .build()
                .unwrap();
            let blocker = async |ctx: Context| {
                ctx.cancelled().await;
                // Until after the abort deadline, and not as long as aborted tasks are waited for.
                thread::sleep(Duration::from_millis(1_850));
                Ok(())
            };
            outer.run(task_fn("blocker", blocker)).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let inner = Manager::builder().name("inner").build().unwrap();
            let quick = inner.run(worker("quick")).unwrap();
            outer.stop();
            outer.run(inner.into_task().in_phase(Phase::new(101))).unwrap();
            let _ = outer.wait().await;
            assert_eq!(quick.outcome(), Some(Outcome::Completed));
        });
    })
    .passed();
}
