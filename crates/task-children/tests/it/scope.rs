//! `Children::scope`: what happens to the children when its body is over.

use std::{future::pending, time::Duration};

use anyhow::bail;
use task_children::Children;
use task_core::{Cancelled, Context, Outcome};
use tokio::time::{Instant, sleep};

use crate::rig::{Alive, Rig, failures, report_of};

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_loop_and_the_children_say_goodbye() {
    let said = Alive::default();
    let counted = said.clone();
    let report = report_of(async move |ctx| {
        let children = Children::new(&ctx, 10)?;
        let accept = async |children: &Children| {
            for number in 0..5 {
                let said = counted.clone();
                let child = async move |ctx: Context| {
                    ctx.cancelled().await;
                    sleep(Duration::from_secs(1)).await;
                    std::mem::forget(said.one());
                    Ok(())
                };
                children.spawn(format!("connection {number}"), child).await?;
            }
            ctx.request_stop("enough");
            ctx.or_cancelled(pending::<()>()).await?;
            Ok(())
        };
        children.scope(accept).await
    })
    .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(said.count(), 5);
    assert_eq!(report.tasks()[0].outcome, Outcome::Cancelled); // by the error of the loop
}

#[tokio::test(start_paused = true)]
async fn after_a_clean_body_it_waits_for_the_children_and_returns_the_value() {
    let (rig, ctx) = Rig::new();
    let began = Instant::now();
    let value = Children::new(&ctx, 2).unwrap().scope(async |children| {
        let slow = async |_| {
            sleep(Duration::from_secs(3)).await;
            Ok(())
        };
        children.spawn("slow", slow).await?;
        Ok(7)
    });
    assert_eq!(value.await.unwrap(), 7);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(rig.holds(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_is_returned_at_once_and_leaves_the_children_to_the_task() {
    let alive = Alive::default();
    let (rig, ctx) = Rig::new();
    let began = Instant::now();
    let one = alive.one();
    let scope = Children::new(&ctx, 2).unwrap().scope(async |children| {
        let child = async move |ctx: Context| {
            let _one = one;
            ctx.cancelled().await; // asked to end, and not dropped
            sleep(Duration::from_secs(1)).await;
            Ok(())
        };
        children.spawn("connection", child).await?;
        bail!("too many open files")
    });
    let result: anyhow::Result<()> = scope.await;
    assert_eq!(result.unwrap_err().to_string(), "too many open files");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((alive.count(), rig.holds()), (1, 1));
    sleep(Duration::from_secs(2)).await;
    assert_eq!((alive.count(), rig.holds()), (0, 0));
    assert!(rig.recorded().is_empty(), "{:?}", rig.recorded());
}

#[tokio::test(start_paused = true)]
async fn dropped_it_aborts_the_children() {
    let alive = Alive::default();
    let (rig, ctx) = Rig::new();
    let one = alive.one();
    let scope = Children::new(&ctx, 2).unwrap().scope(async |children| {
        let child = async move |_| {
            let _one = one;
            pending().await
        };
        children.spawn("deaf", child).await?;
        pending::<anyhow::Result<()>>().await
    });
    tokio::time::timeout(Duration::from_secs(1), scope).await.unwrap_err();
    tokio::task::yield_now().await;
    assert_eq!((alive.count(), rig.holds()), (0, 0));
    assert!(rig.recorded().is_empty(), "{:?}", rig.recorded()); // it was wanted
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_ends_the_body_where_that_fails_the_task() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 2).unwrap().fail_fast();
    let scope = children.scope(async |children| {
        children.spawn("worker", async |_| bail!("disk full")).await?;
        pending().await
    });
    let result: anyhow::Result<()> = scope.await;
    assert_eq!(format!("{:#}", result.unwrap_err()), "worker: disk full");
}

#[tokio::test(start_paused = true)]
async fn a_failed_child_explains_why_the_next_one_is_refused() {
    let (_rig, ctx) = Rig::new();
    let children = Children::new(&ctx, 1).unwrap().fail_fast();
    let scope = children.scope(async |children| {
        loop {
            children.spawn("worker", async |_| bail!("disk full")).await?;
        }
    });
    let result: anyhow::Result<()> = scope.await;
    assert_eq!(format!("{:#}", result.unwrap_err()), "worker: disk full");
}

#[tokio::test(start_paused = true)]
async fn a_manager_learns_of_a_failed_child_at_once_where_that_fails_the_task() {
    let report = report_of(async |ctx| {
        let children = Children::new(&ctx, 2)?.fail_fast();
        let work = async |children: &Children| {
            children.spawn("worker", async |_| bail!("disk full")).await?;
            ctx.or_cancelled(pending::<()>()).await?;
            Ok(())
        };
        children.scope(work).await
    })
    .await;
    assert_eq!(failures(&report), ["task `server` failed: worker: disk full"]);
    assert_eq!(report.tasks()[0].outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn cancelled_is_an_error_like_any_other_while_the_task_is_not_cancelled() {
    let (rig, ctx) = Rig::new();
    let scope = Children::new(&ctx, 2).unwrap().scope(async |children| {
        let deaf = async |_| {
            sleep(Duration::from_secs(1)).await;
            Ok(())
        };
        children.spawn("deaf", deaf).await?;
        Err(Cancelled.into())
    });
    let result: anyhow::Result<()> = scope.await;
    assert!(Cancelled::is_outermost_in(&result.unwrap_err()));
    assert_eq!(rig.holds(), 1); // it did not wait
}
