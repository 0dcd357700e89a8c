//! Holds, and contexts that outlive their task.

use std::{
    cell::RefCell,
    fmt, panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::anyhow;
use task_manager::{CauseKind, Context, Hold, Manager, Outcome, TaskState, task_fn};
use tokio::runtime::Handle;

use crate::support::{KeptHolds, SECOND, worker};

/// FAILURES 23.
#[tokio::test(start_paused = true)]
async fn a_task_has_not_ended_while_a_hold_is_kept() {
    let manager = Manager::new();
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let task = manager
        .run_ephemeral(task_fn("holder", async |ctx| {
            let hold = ctx.hold();
            tokio::spawn(async move {
                let _ = held.await;
                drop(hold);
            });
            Ok(())
        }))
        .unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(task.outcome(), None);
    release.send(()).unwrap();
    assert_eq!(task.ended().await, Outcome::Completed);
    manager.wait().await.unwrap();
}

/// Invariant 1.
#[tokio::test(start_paused = true)]
async fn a_failure_of_a_held_task_counts_at_once_and_cancels_its_context() {
    let manager = Manager::new();
    let other = manager.run(worker("other")).unwrap();
    let task = manager
        .run(task_fn("holder", async |ctx| {
            let hold = ctx.hold();
            tokio::spawn(async move {
                ctx.cancelled().await;
                tokio::time::sleep(SECOND).await;
                drop(hold);
            });
            Err(anyhow!("disk full"))
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(
        format!("{:#}", anyhow::Error::new(error.clone())),
        "task `holder` failed: disk full"
    );
    assert_eq!(
        (task.outcome(), other.outcome()),
        (Some(Outcome::Failed), Some(Outcome::Completed))
    );
    let report = error.report().unwrap();
    assert_eq!(report.cause().kind.to_string(), "task `holder` failed");
    assert_eq!((report.failures().len(), report.later_triggers().len()), (1, 0), "{report}");
    assert_eq!((report.steps().triggered, report.steps().ended), (Duration::ZERO, SECOND));
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn an_error_is_not_lost_when_its_held_task_is_abandoned() {
    let manager = Manager::new();
    let kept = KeptHolds::default();
    let keeping = kept.clone();
    let task = manager
        .run(task_fn("holder", async move |ctx| {
            keeping.keep(&ctx);
            Err(anyhow!("disk full"))
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Abandoned));
    assert_eq!(error.to_string(), "task `holder` failed (+1 more)");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_failure_recorded_after_the_abandonment_and_before_the_report_is_in_it() {
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    manager
        .run(task_fn("late", async |ctx: Context| {
            let hold = ctx.hold();
            tokio::spawn(async move {
                let _ = receiver.await;
                ctx.record_failure(anyhow!("commit failed"));
                drop(hold);
            });
            std::future::pending().await
        }))
        .unwrap();
    manager
        .cleanup("releases", async move || {
            let _ = sender.send(());
            tokio::time::sleep(SECOND).await;
            Ok(())
        })
        .unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let failures = error.report().unwrap().failures();
    assert!(
        failures.iter().any(|failure| failure.to_string().contains("commit failed")),
        "{error:?}"
    );
}

/// Invariant 2. The task blocks its thread until it was abandoned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_an_abandoned_held_task_is_reported_and_triggers_nothing() {
    /// Its text is read right before it is recorded.
    #[derive(Debug)]
    struct Late(mpsc::Sender<()>);
    impl fmt::Display for Late {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _ = self.0.send(());
            f.write_str("too late")
        }
    }
    impl std::error::Error for Late {}

    let manager = Manager::builder().shutdown_timeout(11 * SECOND).cleanup_timeout(10 * SECOND);
    let manager = manager.build().unwrap();
    let kept = KeptHolds::default();
    let (keeping, (release, released)) = (kept.clone(), mpsc::channel::<()>());
    let (sender, read) = mpsc::channel();
    let blocking = async move |ctx: Context| {
        keeping.keep(&ctx);
        let _ = released.recv();
        Err(Late(sender).into())
    };
    manager.run(task_fn("blocking", blocking)).unwrap();
    let cleanup = async move || {
        drop(release);
        tokio::task::block_in_place(|| read.recv_timeout(10 * SECOND))?;
        // The thread that has read it records it now.
        tokio::time::sleep(SECOND).await;
        Ok(())
    };
    manager.cleanup("releases", cleanup).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let texts: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert!(texts.contains(&"task `blocking` failed: too late".into()), "{report}");
    assert!(report.later_triggers().is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_of_a_held_task_cancels_its_context_and_counts_as_unrequested() {
    let manager = Manager::new();
    let task = manager
        .run(task_fn("holder", async |ctx: Context| {
            let hold = ctx.hold();
            tokio::spawn(async move {
                ctx.cancelled().await;
                tokio::time::sleep(2 * SECOND).await;
                drop(hold);
            });
            tokio::time::sleep(5 * SECOND).await;
            Ok(())
        }))
        .unwrap();
    tokio::time::sleep(6 * SECOND).await;
    let info = task.info();
    assert_eq!(
        (info.state, info.in_state),
        (TaskState::Stopping, SECOND),
        "since the end of its future"
    );
    let report = manager.wait().await.unwrap();
    let CauseKind::TaskEnded { outcome, was_asked, .. } = report.cause().kind else {
        panic!("{report}")
    };
    assert_eq!((outcome, was_asked), (Outcome::Completed, false));
    assert_eq!(report.steps().triggered, 7 * SECOND);
    assert_eq!(report.tasks()[0].stop_took, None, "never asked");
}

#[tokio::test(start_paused = true)]
async fn a_requested_end_is_reported_as_such_with_the_time_that_it_took() {
    let manager = Manager::new();
    let task = manager
        .run(task_fn("slow", async |ctx: Context| {
            ctx.cancelled().await;
            tokio::time::sleep(SECOND).await;
            Ok(())
        }))
        .unwrap();
    tokio::time::sleep(SECOND).await;
    task.stop();
    let report = manager.wait().await.unwrap();
    assert!(
        matches!(report.cause().kind, CauseKind::TaskEnded { was_asked: true, .. }),
        "{report}"
    );
    assert_eq!(report.tasks()[0].stop_took, Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_task_stays_valid_and_is_cancelled() {
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let task = task_fn("brief", async |ctx: Context| {
        let _ = sender.send(ctx);
        Ok(())
    });
    manager.run_ephemeral(task).unwrap().ended().await;
    let ctx = receiver.await.unwrap();
    assert!(ctx.is_cancelled() && ctx.is_draining());
    ctx.cancelled().await;
    ctx.set_ready(true);
    drop(ctx.hold());
    assert_eq!((ctx.name(), ctx.group().snapshot().totals.completed), ("brief", 1));
    ctx.request_stop("after the end");
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().to_string(), "after the end (task `brief`)");
}

/// Invariants 5 and 10.
#[tokio::test(start_paused = true)]
async fn a_failure_recorded_after_the_report_is_counted_and_dropped() {
    #[derive(Debug)]
    struct Late(Arc<()>);
    impl fmt::Display for Late {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "too late, {} references", Arc::strong_count(&self.0))
        }
    }
    impl std::error::Error for Late {}
    let manager = Manager::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let holds = KeptHolds::default();
    let keeping = holds.clone();
    let held = async move |ctx: Context| {
        keeping.keep(&ctx);
        let _ = sender.send(ctx);
        Ok(())
    };
    let task = manager.run(task_fn("held", held)).unwrap();
    let ctx = receiver.await.unwrap();
    let before = manager.shutdown().await.unwrap_err();
    let kept = Arc::new(());
    ctx.record_failure(Late(kept.clone()));
    assert_eq!(Arc::strong_count(&kept), 1);
    assert_eq!(task.info().failures, 1, "counted nevertheless");
    let after = manager.wait().await.unwrap_err();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

/// Invariants 1 and 2. FAILURES 9.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_after_the_abort_is_reported_for_a_held_task_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let manager = Manager::new();
    let kept = KeptHolds::default();
    let keeping = kept.clone();
    manager
        .run(task_fn("bomb", async move |ctx: Context| {
            keeping.keep(&ctx);
            let _bomb = Bomb;
            std::future::pending().await
        }))
        .unwrap();
    tokio::time::sleep(SECOND).await;
    let error = manager.shutdown().await.unwrap_err();
    let failures: Vec<_> =
        error.report().unwrap().failures().iter().map(ToString::to_string).collect();
    assert!(failures.iter().any(|failure| failure.ends_with("in drop")), "{failures:?}");
}

/// Invariant 9. Tokio cannot be entered there, and its panic would run the hook below the lock.
#[tokio::test]
async fn a_hold_in_a_thread_local_that_outlives_tokios_is_dropped_without_a_panic() {
    thread_local!(static KEPT: RefCell<Option<Hold>> = const { RefCell::new(None) });
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| match thread::current().name() {
        Some("ends") => drop(PANICS.fetch_add(1, Ordering::SeqCst)),
        _ => hook(info),
    }));
    let manager = Manager::new();
    let runtime = Handle::current();
    let holding = async move |ctx: Context| {
        let hold = ctx.hold();
        let ends = move || {
            KEPT.set(Some(hold));
            // Tokio's thread-local is made later, and so destroyed first.
            drop(runtime.enter());
        };
        thread::Builder::new().name("ends".into()).spawn(ends)?;
        Ok(())
    };
    manager.run(task_fn("work", holding)).unwrap();
    manager.wait().await.unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}
