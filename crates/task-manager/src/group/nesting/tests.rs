//! One task that runs several groups, one after the other.
#![allow(clippy::unwrap_used)]

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use anyhow::anyhow;
use task_core::{Context, Outcome, Task, task_fn};

use super::MOST_KEPT;
use crate::Manager;

fn manager(name: &'static str) -> Manager {
    Manager::builder().name(name).build().unwrap()
}

fn failing(name: &'static str) -> impl Task {
    task_fn(name, async |_| Err(anyhow!("broken")))
}

/// Polls a group once, and drops it.
async fn begin_and_drop(group: Manager, ctx: &Context) {
    let mut run = pin!(group.into_task().run(ctx.clone()));
    poll_fn(|cx| {
        assert!(run.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_over_leaves_no_link_behind() {
    let outer = manager("outer");
    let restarting = async |ctx: Context| {
        for _ in 0..10 {
            let inner = manager("inner");
            inner.run(failing("bad")).unwrap();
            inner.into_task().run(ctx.clone()).await.unwrap_err();
        }
        ctx.cancelled().await;
        Ok(())
    };
    outer.run(task_fn("restarting", restarting)).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(outer.shared.lock().links.is_empty());
    assert!(outer.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn of_groups_that_were_dropped_the_last_ones_are_kept() {
    let outer = manager("outer");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let task = outer.run_ephemeral(task_fn("dropping", async move |ctx: Context| {
        for _ in 0..3 * MOST_KEPT {
            let inner = manager("inner");
            inner.run(failing("bad"))?;
            tell.send(inner.handle())?;
            begin_and_drop(inner, &ctx).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        ctx.cancelled().await;
        Ok(())
    }));
    let task = task.unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let mut handles = Vec::new();
    while let Ok(handle) = told.try_recv() {
        handles.push(handle);
    }
    let kept = handles.iter().filter(|handle| handle.group().is_some()).count();
    assert_eq!((handles.len(), kept), (3 * MOST_KEPT, MOST_KEPT));
    task.stop();
    assert_eq!(task.ended().await, Outcome::Completed);
    assert!(handles.iter().all(|handle| handle.group().is_none()));
    assert!(outer.shutdown().await.unwrap().is_clean(), "the task dropped them, and is fine");
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_in_each_is_told_for_a_task_that_is_aborted() {
    let outer = manager("outer");
    let dropping = async |ctx: Context| {
        for name in ["one", "two"] {
            let inner = manager("inner");
            inner.run(failing(name))?;
            begin_and_drop(inner, &ctx).await;
        }
        std::future::pending().await
    };
    outer.run(task_fn("dropping", dropping)).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = outer.shutdown().await.unwrap_err();
    let failures = error.report().unwrap().failures().iter().map(ToString::to_string);
    let own = "task `dropping` did not end by its deadline and was aborted";
    let expected =
        ["task `dropping/one` failed: broken", "task `dropping/two` failed: broken", own];
    assert_eq!(failures.collect::<Vec<_>>(), expected);
    for failure in &error.report().unwrap().failures()[..2] {
        assert_eq!(failure.id, None, "the inner group's number says nothing out here");
        assert!(failure.at > Duration::from_secs(1), "by the outer clock, at the abort");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_has_not_ended_before_the_group_that_it_dropped_has() {
    let outer = manager("outer");
    let dropping = task_fn("dropping", async |ctx: Context| {
        let inner = manager("inner");
        inner.cleanup("slow", async || {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok(())
        })?;
        inner.run(task_fn("work", async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))?;
        begin_and_drop(inner, &ctx).await;
        Ok(())
    });
    let began = tokio::time::Instant::now();
    let task = outer.run_ephemeral(dropping).unwrap();
    assert_eq!(task.ended().await, Outcome::Completed);
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    outer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_of_a_group_that_was_given_up_is_not_told_again_when_its_task_returns() {
    let outer = Manager::builder()
        .shutdown_timeout(Duration::from_secs(5))
        .cleanup_timeout(Duration::from_millis(4_500))
        .build()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel();
    let blocking = async move |ctx: Context| {
        let inner = manager("inner");
        let bad = inner.run(task_fn("bad", async |ctx: Context| {
            ctx.cancelled().await;
            Err(anyhow!("broken"))
        }))?;
        let mut run = pin!(inner.into_task().run(ctx.clone()));
        poll_fn(|cx| {
            assert!(run.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(bad.ended().await, Outcome::Failed);
        released.recv()?;
        run.await
    };
    outer.run(task_fn("group", blocking)).unwrap();
    let shared = Arc::clone(&outer.shared);
    let release = async move || {
        assert_eq!(shared.lock().abandoned.len(), 1);
        release.send(())?;
        while !shared.lock().abandoned.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    outer.cleanup("release", release).unwrap();
    let error = outer.shutdown().await.unwrap_err();
    let failures = error.report().unwrap().failures().iter().map(ToString::to_string);
    let own = "task `group` did not end by its deadline and was abandoned";
    assert_eq!(failures.collect::<Vec<_>>(), ["task `group/bad` failed: broken", own]);
}
