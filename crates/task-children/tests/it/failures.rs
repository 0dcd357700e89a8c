//! What a failure of a child means.

use std::{future::pending, sync::atomic::Ordering, thread, time::Duration};

use anyhow::{anyhow, bail};
use task_children::Children;
use task_core::{Cancelled, Context, Outcome, Phase, Task as _, task_fn};
use task_manager::Manager;

use crate::rig::{Rig, failures, report_of};

#[tokio::test(start_paused = true)]
async fn an_error_is_in_the_report_by_the_name_of_the_child_and_the_service_goes_on() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 2)?;
        children.spawn("connection 10.0.0.7", async |_| bail!("reset by peer")).await?;
        children.finish().await?;
        let next = children.spawn("connection 10.0.0.8", async |_| Ok(())).await?;
        assert_eq!(next.ended().await, Outcome::Completed);
        Ok(())
    })
    .await;
    let text = "task `server` failed and went on: connection 10.0.0.7: reset by peer";
    assert_eq!(failures(&report), [text]);
    assert_eq!(report.tasks()[0].outcome, Outcome::Completed);
    assert_eq!(report.tasks()[0].failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_in_the_report_by_the_name_of_the_child_and_with_its_place() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 2)?;
        children.spawn("connection 7", async |_| panic!("index out of bounds")).await?;
        children.finish().await
    })
    .await;
    let [failure] = &failures(&report)[..] else { panic!("{report}") };
    assert!(failure.starts_with("task `server` went on after it panicked at "), "{failure}");
    assert!(failure.contains("failures.rs:"), "{failure}");
    assert!(failure.ends_with(": connection 7: index out of bounds"), "{failure}");
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_drop_of_a_child_is_in_the_report() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap();
    // Kept by the future beyond its last await, which `async` blocks do not do.
    struct Keeps(#[allow(dead_code, reason = "for its drop")] Bomb, bool);
    impl Future for Keeps {
        type Output = anyhow::Result<()>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            if self.1 { std::task::Poll::Ready(Ok(())) } else { std::task::Poll::Pending }
        }
    }
    let ended = children.spawn("ended", |_| Keeps(Bomb, true)).await.unwrap();
    assert_eq!(ended.ended().await, Outcome::Panicked);
    let aborted = children.spawn("aborted", |_| Keeps(Bomb, false)).await.unwrap();
    tokio::task::yield_now().await;
    aborted.abort();
    assert_eq!(aborted.ended().await, Outcome::Panicked);
    assert_eq!(rig.recorded(), ["ended: bomb", "aborted: bomb"]);
    assert!(children.is_empty());
}

#[tokio::test(start_paused = true)]
async fn failures_can_be_counted_and_leave_the_report_clean() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 2)?.count_failures();
        children.spawn("one", async |_| bail!("reset by peer")).await?;
        children.spawn("two", async |_| panic!("bug")).await?;
        children.finish().await?;
        assert_eq!(children.failures(), 2);
        Ok(())
    })
    .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.tasks()[0].failures, 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_can_fail_the_task_and_stop_the_others() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap().fail_fast();
    let other = async |ctx: Context| {
        ctx.cancelled().await;
        bail!("interrupted")
    };
    let other = children.spawn("other", other).await.unwrap();
    children.spawn("first", async |_| panic!("bug")).await.unwrap();
    let error = children.finish().await.unwrap_err();
    assert_eq!(other.outcome(), Some(Outcome::Failed));
    assert_eq!(format!("{error:#}"), "first: panicked: bug");
    assert!(error.is::<task_core::Panic>());
    assert_eq!(rig.recorded(), ["other: interrupted"]); // not lost
    assert_eq!(children.spawn("late", async |_| Ok(())).await.unwrap_err(), Cancelled);
    children.finish().await.unwrap(); // it is returned once
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_nobody_took_is_recorded() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap().fail_fast();
    let child = children.spawn("first", async |_| bail!("disk full")).await.unwrap();
    child.ended().await;
    drop(children);
    assert_eq!(rig.recorded(), ["first: disk full"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_child_records_has_its_name() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap();
    let child = async |ctx: Context| {
        ctx.record_failure(anyhow!("slow"));
        ctx.record_panic(task_core::Panic::catch(|| panic!("caught")).unwrap_err());
        ctx.count_failure();
        Ok(())
    };
    let child = children.spawn("child", child).await.unwrap();
    assert_eq!(child.ended().await, Outcome::Completed);
    assert_eq!(rig.recorded(), ["child: slow", "child: caught"]);
    assert_eq!((children.failures(), rig.counted.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn a_panic_of_a_thread_of_the_child_is_its_failure_and_asks_it_to_end() {
    let (rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 3).unwrap();
    let child = async |ctx: Context| {
        let hold = ctx.hold();
        thread::spawn(move || {
            let _hold = hold;
            panic!("in the thread");
        });
        ctx.cancelled().await;
        Ok(())
    };
    let child = children.spawn("child", child).await.unwrap();
    assert_eq!(child.ended().await, Outcome::Panicked);
    assert_eq!((children.failures(), rig.recorded().len()), (1, 1));
    assert!(!ctx.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_drops_a_hold_of_the_child_counts_once() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 3)?;
        let child = async |ctx: Context| {
            let _hold = ctx.hold();
            panic!("once")
        };
        children.spawn("child", child).await?;
        children.finish().await?;
        assert_eq!(children.failures(), 1);
        Ok(())
    })
    .await;
    assert_eq!(report.failures().len(), 1, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_the_task_that_was_asked_for_is_no_failure_with_its_children_either() {
    let manager = Manager::new();
    let task = manager
        .run_ephemeral(task_fn("task", async |ctx: Context| {
            let children = Children::new(&ctx, 4)?;
            children
                .scope(async |children| {
                    for name in ["one", "two", "three"] {
                        children.spawn(name, async |_| pending().await).await?;
                    }
                    pending().await
                })
                .await
        }))
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    task.abort();
    assert_eq!(task.ended().await, Outcome::Aborted);
    let report = manager.wait().await.unwrap();
    assert!(report.failures().is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_a_child_that_was_asked_for_is_no_failure_with_its_own_children_either() {
    for by_drop in [false, true] {
        let report = report_of(async move |ctx| {
            let children = Children::new(&ctx, 4)?;
            let outer = children
                .spawn("outer", async |ctx: Context| {
                    let inner = Children::new(&ctx, 4)?;
                    for name in ["one", "two", "three"] {
                        inner.spawn(name, async |_| pending().await).await?;
                    }
                    inner.finish().await
                })
                .await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if by_drop {
                drop(children);
            } else {
                outer.abort();
            }
            assert_eq!(outer.ended().await, Outcome::Aborted);
            Ok(())
        })
        .await;
        assert!(report.failures().is_empty(), "{by_drop}: {report}");
    }
}

/// The task is not cancelled at once: another phase is stopped before it.
#[tokio::test(start_paused = true)]
async fn the_child_that_fails_the_task_is_its_only_failure() {
    let manager = Manager::new();
    let first = task_fn("first", async |ctx: Context| {
        ctx.cancelled().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    });
    manager.run(first.in_phase(Phase::INGRESS)).unwrap();
    let server = task_fn("server", async |ctx: Context| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let children = Children::new(&ctx, 1)?.fail_fast();
        children
            .scope(async |children| {
                loop {
                    children.spawn("bad", async |_| bail!("boom")).await?;
                }
            })
            .await
    });
    manager.run(server).unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(failures(report), ["task `server` failed: bad: boom"]);
    let steps = report.steps();
    assert!(steps.cleaning_up - steps.stopping >= Duration::from_secs(2), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shown_beside_a_name_of_any_length() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 1)?;
        children.spawn("x".repeat(1 << 20), async |_| bail!("reset by peer")).await?;
        children.finish().await
    })
    .await;
    assert!(failures(&report)[0].ends_with(": reset by peer"), "{report}");
}
