//! Children within a restarted task, and children of children.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use task_children::Children;
use task_core::{Backoff, Context, Outcome, task_fn};
use task_manager::ManagerHandle;
use task_restart::{FailureLimit, restarting};
use tokio::time::sleep;

use crate::rig::{Alive, failures, report_of, report_of_task};

#[tokio::test(start_paused = true)]
async fn a_restarted_task_begins_anew_when_the_children_of_the_last_run_are_gone() {
    let (alive, runs) = (Alive::default(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let server = restarting(move || {
        let (alive, runs) = (alive.clone(), Arc::clone(&counted));
        Ok(task_fn("server", async move |ctx: Context| {
            assert_eq!(alive.count(), 0);
            let run = 1 + runs.fetch_add(1, Ordering::SeqCst);
            let children = Children::new(&ctx, 4)?;
            let serve = async |children: &Children| {
                let one = alive.one();
                let child = async move |ctx: Context| {
                    let _one = one;
                    ctx.cancelled().await;
                    sleep(Duration::from_secs(2)).await;
                    Ok(())
                };
                children.spawn("connection", child).await?;
                if run < 3 {
                    bail!("listener lost");
                }
                ctx.request_stop("enough");
                ctx.or_cancelled(pending::<()>()).await?;
                Ok(())
            };
            children.scope(serve).await
        }))
    });
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let report = report_of_task(server.unwrap().backoff(backoff)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_fails_the_run_and_not_the_task() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let server = restarting(move || {
        let runs = Arc::clone(&counted);
        Ok(task_fn("server", async move |ctx: Context| {
            runs.fetch_add(1, Ordering::SeqCst);
            let children = Children::new(&ctx, 4)?.fail_fast();
            let serve = async |children: &Children| {
                children.spawn("worker", async |_| bail!("disk full")).await?;
                ctx.or_cancelled(pending::<()>()).await?;
                Ok(())
            };
            children.scope(serve).await
        }))
    });
    let limit = FailureLimit::new(2, Duration::from_secs(60)).unwrap();
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let report = report_of_task(server.unwrap().limit(limit).backoff(backoff)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    let [failure] = &failures(&report)[..] else { panic!("{report}") };
    assert!(failure.contains("failed 3 times"), "{failure}");
    assert!(failure.ends_with(": worker: disk full"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_takes_its_children_along() {
    let alive = Alive::default();
    let counted = alive.clone();
    let server = restarting(move || {
        let alive = counted.clone();
        Ok(task_fn("server", async move |ctx: Context| {
            assert_eq!(alive.count(), 0);
            let children = Children::new(&ctx, 4)?;
            let serve = async |children: &Children| {
                let one = alive.one();
                let deaf = async move |_: Context| {
                    let _one = one;
                    pending().await
                };
                children.spawn("deaf", deaf).await?;
                pending::<()>().await;
                Ok(())
            };
            children.scope(serve).await
        }))
    });
    let server = server.unwrap().run_timeout(Duration::from_secs(5));
    let limit = FailureLimit::new(2, Duration::from_secs(3600)).unwrap();
    let report = report_of_task(server.limit(limit)).await;
    let [failure] = &failures(&report)[..] else { panic!("{report}") };
    assert!(failure.contains("failed 3 times"), "{failure}"); // and no run was still held
    assert_eq!(alive.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_of_children_of_children_have_both_names() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 4)?;
        let request = async |ctx: Context| {
            let fetches = Children::new(&ctx, 2)?;
            fetches.spawn("fetch 1", async |_| bail!("no route")).await?;
            fetches.spawn("fetch 2", async |_| Ok(())).await?;
            fetches.finish().await
        };
        let request = children.spawn("request 7", request).await?;
        assert_eq!(request.ended().await, Outcome::Completed);
        Ok(())
    })
    .await;
    let text = "task `server` failed and went on: request 7: fetch 1: no route";
    assert_eq!(failures(&report), [text]);
}

#[tokio::test(start_paused = true)]
async fn a_grandchild_that_fails_its_parent_fails_the_child_and_not_the_task() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 4)?;
        let request = async |ctx: Context| {
            let fetches = Children::new(&ctx, 2)?.fail_fast();
            fetches.spawn("fetch 1", async |_| bail!("no route")).await?;
            fetches.finish().await
        };
        let request = children.spawn("request 7", request).await?;
        assert_eq!(request.ended().await, Outcome::Failed);
        Ok(())
    })
    .await;
    let text = "task `server` failed and went on: request 7: fetch 1: no route";
    assert_eq!(failures(&report), [text]);
    assert_eq!(report.tasks()[0].outcome, Outcome::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_stop_reaches_the_children_of_children_and_an_abort_takes_them_along() {
    let alive = Alive::default();
    let counted = alive.clone();
    let report = report_of(async move |ctx| {
        let children = Children::new(&ctx, 4)?;
        let request = async move |ctx: Context| {
            let one = counted.one();
            let fetches = Children::new(&ctx, 2)?;
            let deaf = async move |_: Context| {
                let _one = one;
                pending().await
            };
            let spawn = async |fetches: &Children| {
                fetches.spawn("fetch", deaf).await?;
                ctx.cancelled().await;
                bail!("left behind")
            };
            fetches.scope(spawn).await
        };
        children.spawn("request 7", request).await?;
        sleep(Duration::from_secs(1)).await;
        ctx.request_stop("enough");
        children.finish().await
    })
    .await;
    assert_eq!(alive.count(), 0);
    let failures = failures(&report).join("\n");
    assert!(failures.contains("request 7: left behind"), "{failures}");
    assert!(failures.contains("request 7: 1 child was aborted: fetch"), "{failures}");
    assert!(!failures.contains("abandoned"), "{failures}");
}

#[tokio::test(start_paused = true)]
async fn a_child_finds_the_manager_of_its_task() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 4)?;
        let child = async |ctx: Context| {
            let manager = ManagerHandle::of(&ctx).unwrap();
            manager.run_ephemeral(task_fn("sibling", async |_| Ok(())))?.ended().await;
            Ok(())
        };
        children.spawn("child", child).await?;
        children.finish().await
    })
    .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.totals().completed, 2);
}

/// Invariant 6.
#[tokio::test(start_paused = true)]
async fn a_child_cannot_wait_for_its_own_group() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 4)?;
        let child = async |ctx: Context| {
            let manager = ManagerHandle::of(&ctx).unwrap();
            assert!(manager.wait().await.unwrap_err().is_inside());
            Ok(())
        };
        children.spawn("child", child).await?;
        children.finish().await
    })
    .await;
    assert!(report.is_clean(), "{report}");
}
