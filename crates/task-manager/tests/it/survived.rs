//! What a wrapper that runs a task again records of it.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use task_manager::{Context, FailureKind, Manager, Panic, Task, task_fn};
use tokio::time::sleep;

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_survived_panic_is_in_the_report_with_its_place_and_the_group_goes_on() {
    let manager = Manager::new();
    manager
        .run(task_fn("worker", async |ctx: Context| {
            ctx.record_panic(Panic::catch(|| panic!("boom")).unwrap_err());
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(manager.group().snapshot().tasks[0].failures, 1);
    let error = manager.shutdown().await.unwrap_err();
    let failures = error.report().unwrap().failures();
    assert_eq!(failures.len(), 1);
    let FailureKind::SurvivedPanic(panic) = &failures[0].kind else { panic!("{failures:?}") };
    assert_eq!(panic.message, "boom");
    assert!(panic.location.as_deref().unwrap().contains("survived.rs:"), "{panic:?}");
    let text = failures[0].to_string();
    assert!(text.starts_with("task `worker` went on after it panicked at "), "{text}");
    assert!(text.ends_with("survived.rs:15:46: boom"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn counted_failures_and_restarts_are_in_the_view_and_the_report_which_stays_clean() {
    let manager = Manager::new();
    manager
        .run(task_fn("worker", async |ctx: Context| {
            for _ in 0..3 {
                ctx.count_failure();
                ctx.record_restart();
            }
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    let task = manager.group().snapshot().tasks.remove(0);
    assert_eq!((task.failures, task.restarts), (3, 3));
    let report = manager.shutdown().await.unwrap();
    assert!(report.is_clean());
    assert_eq!((report.tasks()[0].failures, report.tasks()[0].restarts), (3, 3));
    let text = report.to_string();
    assert!(text.contains("restarted 3 times"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_view_counts_a_wait_down_until_it_is_over_or_the_task_is_stopped() {
    let manager = Manager::new();
    manager
        .run(task_fn("worker", async |ctx: Context| {
            ctx.record_wait(Duration::from_secs(8));
            ctx.or_cancelled(sleep(Duration::from_secs(8))).await?;
            ctx.record_wait(None);
            sleep(Duration::from_secs(1)).await;
            ctx.record_wait(Duration::MAX);
            ctx.cancelled().await;
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }))
        .unwrap();
    let waiting = || manager.group().snapshot().tasks[0].waiting;
    assert_eq!(waiting(), None);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(waiting(), Some(Duration::from_secs(5)));
    sleep(Duration::from_millis(5500)).await;
    assert_eq!(waiting(), None);
    sleep(Duration::from_secs(1)).await;
    assert!(waiting() > Some(Duration::from_secs(1_000_000)));
    manager.stop();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(waiting(), None, "it waits no more");
    manager.wait().await.unwrap();
}

/// Invariant 2: no error replaces another.
#[tokio::test(start_paused = true)]
async fn a_context_around_the_failures_of_a_nested_group_is_kept_beside_them() {
    let manager = Manager::new();
    let inner = Manager::builder().name("inner").build().unwrap();
    inner.run(task_fn("bad", async |_| Err(anyhow!("no broker")))).unwrap();
    manager
        .run(task_fn("outer", async |ctx| {
            inner.into_task().run(ctx).await.context("failed in 6 runs")
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    let failures: Vec<_> =
        error.report().unwrap().failures().iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!(failures[0], "task `outer/bad` failed: no broker");
    let start = "task `outer` failed: failed in 6 runs: ";
    assert!(failures[1].starts_with(start), "{failures:?}");
}
