//! How a child ends, and what keeps the task.

use std::{future::pending, panic::catch_unwind, time::Duration};

use anyhow::bail;
use task_children::Children;
use task_core::{Cancelled, Context, Outcome};
use tokio::{task::yield_now, time::sleep};

use crate::rig::{Alive, Rig, failures, report_of};

#[tokio::test(start_paused = true)]
async fn a_handle_knows_how_the_child_ended() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 10).unwrap();
    let completed = children.spawn("completed", async |_| Ok(())).await.unwrap();
    let failed = children.spawn("failed", async |_| bail!("no route")).await.unwrap();
    let panicked = children.spawn("panicked", async |_| panic!("bug")).await.unwrap();
    let stopped = async |ctx: Context| Ok(ctx.or_cancelled(pending()).await?);
    let stopped = children.spawn("stopped", stopped).await.unwrap();
    let aborted = children.spawn("aborted", async |_| pending().await).await.unwrap();
    yield_now().await;
    assert_eq!((stopped.name(), stopped.outcome()), ("stopped", None));
    stopped.stop();
    aborted.abort();
    assert_eq!(completed.ended().await, Outcome::Completed);
    assert_eq!(failed.ended().await, Outcome::Failed);
    assert_eq!(panicked.ended().await, Outcome::Panicked);
    assert_eq!(stopped.ended().await, Outcome::Cancelled);
    assert_eq!(aborted.ended().await, Outcome::Aborted);
    assert_eq!(aborted.clone().outcome(), Some(Outcome::Aborted));
    assert_eq!(children.failures(), 2);
}

#[tokio::test(start_paused = true)]
async fn cancelled_of_a_child_that_is_not_cancelled_is_a_failure() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    let child = children.spawn("child", async |_| Err(Cancelled.into())).await.unwrap();
    assert_eq!(child.ended().await, Outcome::Failed);
    assert_eq!(rig.recorded(), ["child: cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn one_child_is_stopped_alone() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    let until_stopped = async |ctx: Context| {
        ctx.cancelled().await;
        Ok(())
    };
    let one = children.spawn("one", until_stopped).await.unwrap();
    let other = children.spawn("other", until_stopped).await.unwrap();
    one.stop();
    one.ended().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(other.outcome(), None);
    assert!(!ctx.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn an_abort_before_the_first_poll_drops_the_child_unpolled() {
    let (rig, ctx) = Rig::new();
    let alive = Alive::default();
    let children = Children::new(&ctx, 1).unwrap();
    let one = alive.one();
    let child = async move |_: Context| {
        let _one = one;
        unreachable!("it is not polled")
    };
    let child = children.spawn("child", child).await.unwrap();
    child.abort();
    child.abort(); // does nothing
    assert_eq!(child.ended().await, Outcome::Aborted);
    assert_eq!((alive.count(), children.len()), (0, 0));
    child.abort();
    assert_eq!(rig.recorded(), [""; 0]); // it was wanted
}

#[tokio::test(start_paused = true)]
async fn the_task_is_held_until_the_children_and_the_group_are_gone() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap();
    assert_eq!(rig.holds(), 1);
    let child = children.spawn("child", async |_| pending().await).await.unwrap();
    drop(children);
    assert_eq!((child.outcome(), rig.holds()), (None, 1)); // not yet dropped
    assert_eq!(child.ended().await, Outcome::Aborted);
    assert_eq!(rig.holds(), 0);
    drop(Children::new(&ctx, 1).unwrap());
    assert_eq!(rig.holds(), 0);
}

/// Invariant 8.
#[tokio::test(start_paused = true)]
async fn no_cleanup_runs_beside_a_child() {
    let alive = Alive::default();
    let (counted, seen) = (alive.clone(), alive.clone());
    let manager = task_manager::Manager::new();
    manager
        .cleanup("database", async move || {
            assert_eq!(seen.count(), 0);
            Ok(())
        })
        .unwrap();
    let server = async move |ctx: Context| {
        let one = counted.one();
        let child = async move |ctx: Context| {
            let _one = one;
            ctx.cancelled().await;
            sleep(Duration::from_secs(1)).await;
            Ok(())
        };
        let children = Children::new(&ctx, 1)?;
        let spawn = async |children: &Children| {
            children.spawn("child", child).await?;
            bail!("the listener is gone")
        };
        children.scope(spawn).await
    };
    manager.run(task_manager::task_fn("server", server)).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(failures(error.report().unwrap()), ["task `server` failed: the listener is gone"]);
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn children_that_outlast_the_deadline_are_aborted_and_reported_once() {
    let alive = Alive::default();
    let counted = alive.clone();
    let report = report_of(async move |ctx| {
        let children = Children::new(&ctx, 20)?;
        let fill = async |children: &Children| {
            for number in 0..10 {
                let one = counted.one();
                let deaf = async move |_: Context| {
                    let _one = one;
                    pending().await
                };
                children.spawn(format!("connection {number}"), deaf).await?;
            }
            ctx.request_stop("enough");
            Ok(())
        };
        children.scope(fill).await
    })
    .await;
    assert_eq!(alive.count(), 0);
    let failures = failures(&report);
    assert_eq!(failures.len(), 2, "{failures:?}");
    let children = failures.iter().find(|text| text.contains("children were")).unwrap();
    assert!(children.starts_with("task `server` failed and went on: 10 children were aborted: "));
    assert!(children.ends_with(" and 2 more"), "{children}");
    assert!(
        failures.iter().any(|text| text.contains("was aborted at its deadline")),
        "{failures:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn children_that_a_task_left_behind_are_aborted_at_its_deadline() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 2)?;
        let spawn = async |children: &Children| {
            children.spawn("deaf", async |_| pending().await).await?;
            bail!("too many open files")
        };
        children.scope(spawn).await
    })
    .await;
    assert_eq!(
        failures(&report),
        [
            "task `server` failed: too many open files",
            "task `server` failed and went on: 1 child was aborted: deaf",
        ]
    );
    assert_eq!(report.tasks()[0].outcome, Outcome::Failed);
}

#[test]
fn children_of_a_runtime_that_is_gone_are_in_the_report() {
    let (rig, ctx) = Rig::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (children, handle) = runtime.block_on(async {
        let children = Children::new(&ctx, 2).unwrap();
        let handle = children.spawn("orphan", async |_| pending().await).await.unwrap();
        (children, handle)
    });
    drop(runtime);
    assert_eq!(handle.outcome(), Some(Outcome::Aborted));
    // One more, on the dead runtime.
    let late = children.try_spawn("late", async |_| Ok(())).unwrap();
    assert_eq!(late.outcome(), Some(Outcome::Aborted));
    drop(children);
    assert_eq!(rig.recorded(), ["2 children were aborted: orphan, late"]);
    assert_eq!(rig.holds(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_panics_the_caller_and_leaves_no_child() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    let closure = |_: Context| -> std::future::Ready<anyhow::Result<()>> { panic!("bug") };
    let spawned = std::panic::AssertUnwindSafe(|| children.try_spawn("child", closure));
    assert!(catch_unwind(spawned).is_err());
    assert!(children.is_empty());
    assert!(children.try_spawn("next", async |_| Ok(())).is_ok());
    children.finish().await.unwrap();
    drop(children);
    assert_eq!(rig.recorded(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn finish_can_be_dropped_and_called_again() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap();
    let second = Duration::from_secs(1);
    children.finish().await.unwrap(); // nothing to wait for
    children
        .spawn("child", async move |_| {
            sleep(3 * second).await;
            Ok(())
        })
        .await
        .unwrap();
    tokio::time::timeout(second, children.finish()).await.unwrap_err();
    assert_eq!(children.len(), 1);
    let (one, other) = tokio::join!(children.finish(), children.finish());
    one.unwrap();
    other.unwrap();
    assert!(children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_living_child_is_counted_also_those_of_children_that_are_not_named() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 10).unwrap();
    for number in 0..10 {
        let outer = async |ctx: Context| {
            let inner = Children::new(&ctx, 1)?;
            inner.spawn("in", async |_| pending().await).await?;
            inner.finish().await
        };
        children.spawn(format!("out {number}"), outer).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    let view = rig.children.lock().unwrap()[0].upgrade().unwrap();
    let living = view.living(3);
    assert_eq!(living.names, ["out 0", "out 0/in", "out 1"]);
    assert_eq!(living.more, 17);
}
