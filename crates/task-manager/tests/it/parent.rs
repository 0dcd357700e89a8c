//! The parent token: watched, and never cancelled by the manager.

use task_manager::{CauseKind, Context, Manager, Outcome, Phase, Task, task_fn};
use tokio_util::sync::CancellationToken;

use crate::support::{Journal, SECOND, begin_wait, slow, worker};

/// FAILURES 47 and 48.
#[tokio::test(start_paused = true)]
async fn the_parent_token_stops_the_group_and_is_never_cancelled_by_it() {
    let parent = CancellationToken::new();
    let manager = Manager::builder().parent(parent.clone()).build().unwrap();
    manager.run(worker("work")).unwrap();
    let other = Manager::builder().parent(parent.clone()).build().unwrap();
    other.shutdown().await.unwrap();
    assert!(!parent.is_cancelled());
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        parent.cancel();
    });
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Parent);
}

/// Invariant 4. FAILURES 47.
#[tokio::test(start_paused = true)]
async fn a_parent_token_that_is_already_cancelled_closes_admission_at_once() {
    let parent = CancellationToken::new();
    parent.cancel();
    let manager = Manager::builder().parent(parent).build().unwrap();
    assert!(manager.run(worker("work")).unwrap_err().is_too_late());
    assert_eq!(manager.wait().await.unwrap().cause().kind, CauseKind::Parent);
}

#[tokio::test(start_paused = true)]
async fn the_child_token_of_a_task_is_cancelled_with_it_and_does_not_cancel_it() {
    let manager = Manager::new();
    let task = manager
        .run(task_fn("work", async |ctx: Context| {
            let token = ctx.child_token();
            ctx.child_token().cancel();
            assert!(!token.is_cancelled() && !ctx.is_cancelled());
            token.cancelled().await;
            assert!(ctx.is_cancelled() && ctx.child_token().is_cancelled());
            Ok(())
        }))
        .unwrap();
    tokio::task::yield_now().await;
    manager.shutdown().await.unwrap();
    assert_eq!(task.outcome(), Some(Outcome::Completed));
}

/// Invariant 3. FAILURES 47.
#[tokio::test(start_paused = true)]
async fn the_parent_token_skips_the_drain_and_during_a_shutdown_is_a_later_trigger() {
    let builder = Manager::builder().drain_delay(10 * SECOND);
    let parent = CancellationToken::new();
    let manager = builder.clone().parent(parent.clone()).build().unwrap();
    manager.run(worker("server").in_phase(Phase::INGRESS)).unwrap();
    parent.cancel();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.steps().ended, report.steps().triggered);

    let parent = CancellationToken::new();
    let manager = builder.parent(parent.clone()).build().unwrap();
    manager.run(worker("work")).unwrap();
    begin_wait(&manager);
    manager.stop();
    tokio::time::sleep(SECOND).await;
    parent.cancel();
    manager.run(worker("late")).unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Stopped);
    let later = report.later_triggers().iter().map(|cause| (&cause.kind, cause.at.as_secs()));
    assert!(later.eq([(&CauseKind::Parent, 1)]), "{report}");
    assert_eq!(report.steps().ended, 10 * SECOND, "the drain goes on");
}

#[tokio::test(start_paused = true)]
async fn the_parent_token_is_one_trigger_however_many_came_before() {
    let parent = CancellationToken::new();
    let manager = Manager::builder().parent(parent.clone()).build().unwrap();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    for _ in 0..20 {
        manager.stop();
    }
    parent.cancel();
    for _ in 0..5 {
        manager.run(worker("late")).unwrap_err();
    }
    let report = manager.wait().await.unwrap();
    let triggers = 1 + report.later_triggers().len() as u64 + report.omitted_triggers();
    assert_eq!(triggers, 21, "{report}");
}
