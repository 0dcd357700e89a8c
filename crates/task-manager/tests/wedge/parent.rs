//! The parent token, cancelled while nothing can be polled.

use std::thread;
use std::time::{Duration, Instant};

use task_manager::{CauseKind, Manager, Outcome, Step};
use tokio_util::sync::CancellationToken;

use crate::child;
use crate::support::{
    SECOND, abandoned, assert_by, block, block_workers, context, current_thread, short, worker,
    workers,
};

/// Invariant 3. FAILURES 47.
#[test]
fn a_cancelled_parent_token_stops_the_group_at_once_with_every_worker_blocked() {
    child::run(|| {
        workers(2).block_on(async {
            let parent = CancellationToken::new();
            let manager = short().parent(parent.clone()).build().unwrap();
            let ctx = context(&manager);
            block_workers(|task| manager.run(task).unwrap(), 2);
            let began = Instant::now();
            thread::spawn(move || parent.cancel()).join().unwrap();
            assert!(ctx.is_cancelled(), "before the call of `cancel` has returned");
            let error = manager.wait().await.unwrap_err();
            assert_by("the end after a parent token", began, SECOND);
            let report = error.report().unwrap();
            assert_eq!(report.cause().kind, CauseKind::Parent);
            assert_eq!(abandoned(report), ["signals", "stuck-0", "stuck-1"], "{report}");
        });
    })
    .passed();
}

/// Invariant 3. FAILURES 47.
#[test]
fn a_parent_token_cancelled_while_a_current_thread_runtime_is_blocked_stops_the_group_at_once() {
    child::run(|| {
        current_thread().block_on(async {
            let parent = CancellationToken::new();
            let manager = short().parent(parent.child_token()).build().unwrap();
            let work = manager.run(worker("work")).unwrap();
            let mut group = manager.group();
            // As a setup that blocks, or a task: nothing is polled from here to the next await.
            thread::spawn(move || parent.cancel()).join().unwrap();
            assert_eq!(group.step(), Step::Stopping);
            assert!(manager.run(worker("late")).unwrap_err().is_too_late());
            while group.step() != Step::Ended {
                group.changed().await;
            }
            assert_eq!(work.outcome(), Some(Outcome::Completed));
            manager.wait().await.unwrap();
        });
    })
    .passed();
}

/// Invariant 3. FAILURES 47.
#[test]
fn a_parent_token_cancelled_before_there_is_a_runtime_ends_the_group_on_a_blocked_one() {
    child::run(|| {
        let parent = CancellationToken::new();
        let manager: Manager = short().parent(parent.clone()).build().unwrap();
        let stuck = async || {
            block();
            Ok(())
        };
        manager.cleanup("stuck", stuck).unwrap();
        parent.cancel();
        assert_eq!(manager.group().step(), Step::Draining, "as far as it gets without a runtime");
        workers(1).block_on(async {
            let began = Instant::now();
            assert!(manager.run(worker("late")).unwrap_err().is_too_late());
            let error = manager.wait().await.unwrap_err();
            assert_by("a token cancelled before the runtime", began, SECOND);
            let report = error.report().unwrap();
            assert_eq!(report.cause().kind, CauseKind::Parent);
            assert_eq!(report.cause().at, Duration::ZERO);
            assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Abandoned));
        });
    })
    .passed();
}
