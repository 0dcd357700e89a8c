//! Groups inside groups when the runtime is blocked: the outer deadline reaches all the way down (invariants 7 and 8).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use task_manager::{Context, Manager, Outcome, Phase, Task, task_fn};

use crate::{
    child,
    stuck::{
        SECOND, STOP_END, block, block_workers, current_thread, on_time, short, worker, workers,
    },
};

/// An outer group around a group whose tasks block as many workers, and how often a cleanup of either ran.
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
    // The inner group hears of the outer one from its task's first poll on.
    tokio::time::sleep(Duration::from_millis(50)).await;
    block_workers(|task| handle.run(task).unwrap(), count);
    (outer, cleaned)
}

#[test]
fn with_every_worker_blocked_the_report_names_what_is_stuck_in_a_nested_group() {
    child::run(|| {
        workers(2).block_on(async {
            let (outer, cleaned) = nested(2).await;
            let began = Instant::now();
            let error = outer.shutdown().await.unwrap_err();
            on_time("wait with a nested group stuck", began, SECOND);
            let report = error.report().unwrap();
            let mut names: Vec<_> =
                report.failures().iter().map(|failure| (&*failure.name, failure.to_string())).collect();
            names.sort();
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            assert_eq!(
                names,
                ["close", "ingest", "ingest/other", "ingest/stuck-0", "ingest/stuck-1"],
                "{report}"
            );
            let text = report.to_string();
            assert!(text.contains("task `ingest/stuck-0` did not end by its deadline and was abandoned (in a loop without await)"), "{text}");
            assert_eq!(cleaned.load(Ordering::SeqCst), 0, "no cleanup ran beside stuck tasks");
        });
    })
    .passed();
}

#[test]
fn the_hard_exit_names_who_is_stuck_in_a_nested_group() {
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

#[test]
fn a_nested_group_that_is_polled_first_in_the_time_to_join_lets_its_tasks_end_cleanly() {
    child::run(|| {
        workers(1).block_on(async {
            let outer = short()
                .shutdown_timeout(2 * SECOND)
                .cleanup_timeout(Duration::ZERO)
                .build()
                .unwrap();
            let blocker = async |ctx: Context| {
                ctx.cancelled().await;
                // Until after the last deadline, and not as long as aborted tasks are waited for.
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
