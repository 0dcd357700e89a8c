//! Readiness and the start timeout.

use std::future::pending;

use task_manager::{Blocker, CauseKind, Context, Manager, Outcome, Step, Task, task_fn};

use crate::support::{Journal, SECOND, slow, worker};

fn gate(name: &'static str, seconds: u32) -> impl Task {
    task_fn(name, async move |ctx: Context| {
        ctx.or_cancelled(tokio::time::sleep(seconds * SECOND)).await?;
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    })
    .gating_readiness()
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn a_group_is_ready_only_while_waited_for_running_and_with_every_gate_open() {
    let manager = Manager::builder().drain_delay(SECOND).build().unwrap();
    manager.run(gate("cache", 5)).unwrap();
    let group = manager.group();
    assert_eq!(group.readiness().blockers, [Blocker::SettingUp, Blocker::NotReady("cache".into())]);
    let stop = tokio::spawn({
        let (group, handle) = (group.clone(), manager.handle());
        async move {
            tokio::time::sleep(4 * SECOND).await;
            assert_eq!(group.readiness().blockers, [Blocker::NotReady("cache".into())]);
            assert!(!group.readiness().has_started);
            tokio::time::sleep(2 * SECOND).await;
            assert!(group.readiness().is_ready());
            handle.stop();
            assert_eq!(group.readiness().blockers, [Blocker::ShuttingDown(Step::Draining)]);
            assert!(group.readiness().has_started, "it stays true");
        }
    });
    manager.wait().await.unwrap();
    stop.await.unwrap();
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn ready_resolves_when_every_gate_is_open() {
    let manager = Manager::new();
    manager.run(gate("a", 1)).unwrap();
    manager.run(gate("b", 3)).unwrap();
    let began = tokio::time::Instant::now();
    manager.ready().await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND);
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn ready_fails_and_names_the_gating_task_that_ended_first() {
    let manager = Manager::new();
    manager.run_ephemeral(task_fn("warm-up", async |_| Ok(())).gating_readiness()).unwrap();
    manager.run(task_fn("cache", async |_| Ok(())).gating_readiness()).unwrap();
    let error = manager.ready().await.unwrap_err();
    assert_eq!(error.task(), Some("cache"));
    assert_eq!(error.to_string(), "task `cache`, which readiness waits for, completed");
    assert_eq!(
        manager.group().readiness().blockers.last().unwrap(),
        &Blocker::HasEnded("cache".into(), Outcome::Completed)
    );
    manager.wait().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_not_ready_within_the_start_timeout_is_stopped_as_a_failure() {
    let manager = Manager::builder().start_timeout(2 * SECOND).build().unwrap();
    manager.run(gate("cache", 100)).unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.cause().kind, CauseKind::StartTimeout);
    assert_eq!(report.steps().triggered, 2 * SECOND);
    assert_eq!(error.to_string(), "the start timed out: task `cache` is not ready");
}

#[tokio::test(start_paused = true)]
async fn the_start_timeout_has_no_effect_once_the_group_was_ready() {
    let manager = Manager::builder().start_timeout(2 * SECOND).build().unwrap();
    manager.run(gate("cache", 1)).unwrap();
    let _ = tokio::time::timeout(10 * SECOND, manager.wait()).await;
    assert!(manager.group().readiness().is_ready());
    manager.run_ephemeral(worker("more")).unwrap();
    manager.shutdown().await.unwrap();
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn a_gate_that_opens_before_the_first_wait_does_not_complete_the_start() {
    let manager = Manager::builder().start_timeout(5 * SECOND).build().unwrap();
    manager.run(gate("cache", 1)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(manager.group().readiness().blockers, [Blocker::SettingUp]);
    assert!(!manager.group().readiness().has_started);
    let _ = tokio::time::timeout(SECOND, manager.wait()).await;
    assert!(manager.group().readiness().has_started);
    manager.shutdown().await.unwrap();
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn an_ephemeral_gate_that_completes_during_a_wait_completes_the_start() {
    let manager = Manager::builder().start_timeout(5 * SECOND).build().unwrap();
    manager
        .run_ephemeral(
            task_fn("migrate", async |_| {
                tokio::time::sleep(SECOND).await;
                Ok(())
            })
            .gating_readiness(),
        )
        .unwrap();
    manager.run(worker("work")).unwrap();
    let _ = tokio::time::timeout(10 * SECOND, manager.wait()).await;
    assert!(manager.group().readiness().has_started);
    manager.shutdown().await.unwrap();
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn setting_readiness_after_the_end_of_a_gating_task_changes_nothing() {
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let warm_up = task_fn("warm-up", async move |ctx: Context| {
        ctx.set_ready(true);
        let _ = sender.send(ctx);
        Ok(())
    });
    manager.run_ephemeral(warm_up.gating_readiness()).unwrap().ended().await;
    receiver.await.unwrap().set_ready(false);
    manager.ready().await.unwrap();
    manager.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn under_only_failures_stop_a_critical_gating_task_may_complete() {
    for may_end in [true, false] {
        let manager = Manager::builder();
        let manager = if may_end { manager.only_failures_stop() } else { manager };
        let manager = manager.drain_delay(5 * SECOND).build().unwrap();
        let warm_up = task_fn("warm-up", async |ctx: Context| {
            ctx.set_ready(true);
            Ok(())
        });
        manager.run(warm_up.gating_readiness()).unwrap();
        manager.run(worker("work")).unwrap();
        let _ = tokio::time::timeout(SECOND, manager.wait()).await;
        let readiness = manager.group().readiness();
        assert_eq!(readiness.is_ready(), may_end, "{readiness:?}");
        let has_ended = Blocker::HasEnded("warm-up".into(), Outcome::Completed);
        assert_eq!(readiness.blockers.contains(&has_ended), !may_end, "{readiness:?}");
        manager.shutdown().await.unwrap();
    }
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn the_readiness_of_a_task_that_does_not_gate_is_ignored() {
    let manager = Manager::new();
    manager
        .run(task_fn("chatty", async |ctx: Context| {
            ctx.set_ready(true);
            ctx.set_ready(false);
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    manager.run(gate("a", 1)).unwrap();
    manager.ready().await.unwrap();
    tokio::task::yield_now().await;
    assert!(manager.group().snapshot().tasks.iter().any(|task| !task.is_ready));
    manager.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_of_wait_is_a_change_of_the_group() {
    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    tokio::task::yield_now().await;
    let mut group = manager.group();
    let watching = tokio::spawn(async move {
        group.changed().await;
        group.readiness().is_ready()
    });
    tokio::task::yield_now().await;
    let handle = manager.handle();
    let waiting = tokio::spawn(async move { handle.wait().await });
    assert!(watching.await.unwrap());
    manager.shutdown().await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn ready_names_no_task_that_ended_only_because_the_group_was_stopped() {
    for (seconds, waits) in [(1, false), (100, true)] {
        let manager = Manager::new();
        manager.run(gate("cache", seconds)).unwrap();
        manager.run(slow("work", SECOND, &Journal::default())).unwrap();
        tokio::time::sleep(2 * SECOND).await;
        let mut ready = std::pin::pin!(manager.ready());
        if waits {
            tokio::time::timeout(SECOND, &mut ready).await.unwrap_err();
        }
        manager.stop();
        // The gating task has ended, and the other one has not.
        tokio::time::sleep(SECOND / 2).await;
        let error = ready.await.unwrap_err();
        assert_eq!(error.task(), None, "{error}");
        assert_eq!(error.to_string(), "the group is shutting down (stopping)");
        manager.wait().await.unwrap();
        assert_eq!(manager.ready().await.unwrap_err().task(), None);
    }
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn ready_names_a_gating_task_that_failed_while_it_is_still_held() {
    let manager = Manager::new();
    let task = task_fn("cache", async |ctx: Context| {
        let hold = ctx.hold();
        tokio::spawn(async move {
            tokio::time::sleep(SECOND).await;
            drop(hold);
        });
        Err(anyhow::anyhow!("no disk"))
    });
    let task = manager.run(task.gating_readiness()).unwrap();
    let error = manager.ready().await.unwrap_err();
    assert_eq!((error.task(), task.outcome()), (Some("cache"), None));
    manager.wait().await.unwrap_err();
    assert_eq!(manager.ready().await.unwrap_err().task(), Some("cache"));
    let blockers = manager.group().readiness().blockers;
    let ended = Blocker::HasEnded("cache".into(), Outcome::Failed);
    assert_eq!(blockers, [Blocker::ShuttingDown(Step::Ended), ended], "and only once");
}

#[tokio::test(start_paused = true)]
async fn a_group_without_a_wait_fails_at_its_start_timeout() {
    let manager = Manager::builder().start_timeout(2 * SECOND).build().unwrap();
    let work = manager.run(worker("work")).unwrap();
    assert_eq!(work.ended().await, Outcome::Completed);
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "the start timed out: setting up");
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn at_most_twenty_tasks_are_listed_as_blockers_of_readiness() {
    let manager = Manager::new();
    for _ in 0..15 {
        manager.run(gate("slow", 100)).unwrap();
    }
    for _ in 0..15 {
        let gone = task_fn("gone", async |ctx: Context| Ok(ctx.or_cancelled(pending()).await?));
        let gone = manager.run_ephemeral(gone.gating_readiness()).unwrap();
        gone.stop();
        assert_eq!(gone.ended().await, Outcome::Cancelled);
    }
    let blockers = manager.group().readiness().blockers;
    let ended = blockers.iter().filter(|blocker| matches!(blocker, Blocker::HasEnded(..)));
    assert_eq!((ended.count(), blockers.len()), (15, 20 + 1), "and one for the step");
    manager.shutdown().await.unwrap();
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn a_gating_nested_group_is_ready_when_its_own_tasks_are() {
    let (outer, inner) = (Manager::new(), Manager::builder().name("inner").build().unwrap());
    inner.run(gate("cache", 2)).unwrap();
    let handle = inner.handle();
    outer.run(inner.into_task().gating_readiness()).unwrap();
    let began = tokio::time::Instant::now();
    outer.ready().await.unwrap();
    assert_eq!(began.elapsed(), 2 * SECOND);
    handle.run(slow("work", SECOND, &Journal::default())).unwrap();
    tokio::task::yield_now().await;
    handle.stop();
    tokio::time::sleep(SECOND / 2).await;
    let blockers = outer.group().readiness().blockers;
    assert_eq!(blockers, [Blocker::SettingUp, Blocker::NotReady("inner".into())]);
    outer.wait().await.unwrap();
}
