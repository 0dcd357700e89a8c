//! One task that is aborted, or asked to end within a time.

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex},
    task::{self, Wake, Waker},
    time::Duration,
};

use task_manager::{
    CauseKind, Context, DeadlineKind, FailureKind, Manager, ManagerHandle, Outcome, Task,
    TaskState, Timeout, task_fn,
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use crate::support::{Journal, KeptHolds, SECOND, slow, unresponsive, worker};

#[tokio::test(start_paused = true)]
async fn an_aborted_ephemeral_task_leaves_the_group_running_and_the_report_clean() {
    let manager = Manager::new();
    let task = manager.run_ephemeral(unresponsive("deaf")).unwrap();
    let other = manager.run(worker("other")).unwrap();
    yield_now().await;
    task.abort();
    assert_eq!(task.ended().await, Outcome::Aborted);
    sleep(SECOND).await;
    assert_eq!(other.outcome(), None);
    let report = manager.shutdown().await.unwrap();
    assert!(report.is_clean());
    assert_eq!(report.totals().aborted, 1);
}

#[tokio::test(start_paused = true)]
async fn the_abort_of_a_critical_task_stops_the_group_and_is_no_failure() {
    let manager = Manager::new();
    let task = manager.run(unresponsive("deaf")).unwrap();
    manager.run(worker("other")).unwrap();
    yield_now().await;
    task.abort();
    let report = manager.wait().await.unwrap();
    match &report.cause().kind {
        CauseKind::TaskEnded { task, outcome, was_asked, .. } => {
            assert_eq!((&**task, *outcome, *was_asked), ("deaf", Outcome::Aborted, true));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_has_the_time_it_is_given_and_is_aborted_then() {
    for (takes, outcome, took) in
        [(SECOND, Outcome::Completed, SECOND), (9 * SECOND, Outcome::Aborted, 5 * SECOND)]
    {
        let manager = Manager::new();
        let began = Instant::now();
        let task = manager.run_ephemeral(slow("slow", takes, &Journal::default())).unwrap();
        yield_now().await;
        task.stop_within(5 * SECOND);
        assert_eq!(task.info().remaining, Some(5 * SECOND));
        assert_eq!(task.info().state, TaskState::Stopping);
        assert_eq!((task.ended().await, began.elapsed()), (outcome, took));
        assert!(manager.shutdown().await.unwrap().is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_limits_the_first_that_passes_counts() {
    let manager = Manager::new();
    let began = Instant::now();
    let task = manager.run_ephemeral(unresponsive("deaf")).unwrap();
    yield_now().await;
    task.stop(); // without a limit
    task.stop_within(9 * SECOND);
    task.stop_within(3 * SECOND); // shorter
    task.stop_within(6 * SECOND); // does nothing
    assert_eq!((task.ended().await, began.elapsed()), (Outcome::Aborted, 3 * SECOND));
    task.abort(); // of a task that has ended: does nothing
    assert!(manager.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_stop_timeout_of_the_task_is_a_failure_where_it_passes_first() {
    let manager = Manager::new();
    let task = manager.run_ephemeral(unresponsive("deaf").stopping_within(2 * SECOND)).unwrap();
    yield_now().await;
    task.stop();
    task.stop_within(9 * SECOND);
    assert_eq!(task.ended().await, Outcome::Aborted);
    let error = manager.wait().await.unwrap_err();
    let FailureKind::Aborted { deadline } = &error.root().unwrap().kind else { panic!("{error}") };
    assert_eq!((&deadline.kind, deadline.had), (&DeadlineKind::StopTimeout, 2 * SECOND));
}

/// However long the request gives it, and whether it comes alone or is followed by the shutdown.
#[tokio::test(start_paused = true)]
async fn a_request_to_end_within_a_time_leaves_the_stop_timeout_of_the_task_in_force() {
    for (timeout, limit) in [(SECOND / 10, 3 * SECOND / 10), (SECOND / 5, 5 * SECOND / 2)] {
        for stops_group in [false, true] {
            let manager = Manager::new();
            let task = unresponsive("deaf").stopping_within(timeout);
            let task = manager.run_ephemeral(task).unwrap();
            yield_now().await;
            let began = Instant::now();
            task.stop_within(limit);
            assert_eq!(task.info().remaining, Some(timeout));
            sleep(timeout / 2).await;
            if stops_group {
                manager.stop();
            }
            assert_eq!((task.ended().await, began.elapsed()), (Outcome::Aborted, timeout));
            let error = manager.wait().await.unwrap_err();
            let failure = error.root().unwrap();
            let FailureKind::Aborted { deadline } = &failure.kind else { panic!("{error}") };
            assert_eq!((&deadline.kind, deadline.had), (&DeadlineKind::StopTimeout, timeout));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_that_was_asked_for_no_later_than_the_stop_timeout_is_no_failure() {
    for (timeout, limit) in [
        (3 * SECOND, SECOND),
        (SECOND, SECOND),
        (SECOND, Duration::ZERO),
        (Duration::ZERO, Duration::ZERO),
    ] {
        let manager = Manager::new();
        let task = manager.run_ephemeral(unresponsive("deaf").stopping_within(timeout)).unwrap();
        yield_now().await;
        let began = Instant::now();
        task.stop_within(limit);
        assert_eq!((task.ended().await, began.elapsed()), (Outcome::Aborted, limit));
        assert!(manager.shutdown().await.unwrap().is_clean());
    }
}

/// The waker asks where the task could at the earliest: on another thread, during the request.
#[tokio::test(start_paused = true)]
async fn a_task_that_wakes_at_once_sees_how_long_it_has_left() {
    struct Asks(Context, Mutex<Vec<Option<Duration>>>);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            assert!(self.0.is_cancelled());
            self.1.lock().unwrap().push(self.0.remaining());
        }
    }
    for (timeout, limit, left) in [
        (None, None, None),
        (Some(2 * SECOND), None, Some(2 * SECOND)),
        (None, Some(3 * SECOND), Some(3 * SECOND)),
        (Some(2 * SECOND), Some(3 * SECOND), Some(2 * SECOND)),
        (Some(2 * SECOND), Some(SECOND), Some(SECOND)),
    ] {
        let manager = Manager::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let task = task_fn("task", async move |ctx: Context| {
            let _ = sender.send(ctx.clone());
            ctx.cancelled().await;
            Ok(())
        });
        let timeout = timeout.map_or(Timeout::Never, Timeout::After);
        let task = manager.run_ephemeral(task.stopping_within(timeout)).unwrap();
        let ctx = receiver.await.unwrap();
        let asks = Arc::new(Asks(ctx.clone(), Mutex::default()));
        let waker = Waker::from(Arc::clone(&asks));
        let mut cancelled = pin!(ctx.cancelled());
        assert!(cancelled.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
        match limit {
            None => task.stop(),
            Some(limit) => task.stop_within(limit),
        }
        assert_eq!(*asks.1.lock().unwrap(), [left]);
        assert!(manager.shutdown().await.unwrap().is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_shutdown_one_task_can_be_aborted_before_its_deadline() {
    let manager = Manager::new();
    let task = manager.run(unresponsive("deaf")).unwrap();
    let began = Instant::now();
    manager.stop();
    yield_now().await;
    task.stop_within(SECOND);
    let report = manager.wait().await.unwrap();
    assert_eq!((task.outcome(), began.elapsed()), (Some(Outcome::Aborted), SECOND));
    assert!(report.is_clean());
}

/// Invariant 7.
#[tokio::test(start_paused = true)]
async fn what_the_abort_does_not_end_is_abandoned_which_is_a_failure() {
    for (limit, text) in [
        (Duration::ZERO, "its abort was asked for"),
        (2 * SECOND, "it was asked to end within 2.00 s"),
    ] {
        let manager = Manager::new();
        let kept = KeptHolds::default();
        let keeps = kept.clone();
        let task = manager
            .run_ephemeral(task_fn("held", async move |ctx: Context| {
                keeps.keep(&ctx);
                pending().await
            }))
            .unwrap();
        yield_now().await;
        task.stop_within(limit);
        assert_eq!(task.ended().await, Outcome::Abandoned);
        let error = manager.wait().await.unwrap_err();
        assert_eq!(
            error.root().unwrap().to_string(),
            format!("task `held` was abandoned with a hold on it still kept ({text})"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_drop_of_an_aborted_task_is_a_failure() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let manager = Manager::new();
    let task = manager
        .run_ephemeral(task_fn("bomb", async |_| {
            let _bomb = Bomb;
            pending().await
        }))
        .unwrap();
    yield_now().await;
    task.abort();
    assert_eq!(task.ended().await, Outcome::Panicked);
    manager.wait().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_not_polled_is_polled_once_and_finds_itself_cancelled() {
    let manager = Manager::new();
    let journal = Journal::default();
    let notes = journal.clone();
    let task = manager
        .run_ephemeral(task_fn("task", async move |ctx: Context| {
            notes.note(format!("{}", ctx.is_cancelled()));
            pending().await
        }))
        .unwrap();
    task.abort();
    assert_eq!(task.ended().await, Outcome::Aborted);
    assert_eq!(journal.read(), ["true"]);
    assert!(manager.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_context_finds_the_manager_of_its_task_and_one_alone_finds_none() {
    let alone = Context::new(Arc::new(task_manager::scope::StageCell::new()));
    assert!(ManagerHandle::of(&alone).is_none());
    let manager = Manager::builder().name("mine").build().unwrap();
    manager
        .cleanup_with("cleanup", async |ctx: Context| {
            let mine = ManagerHandle::of(&ctx).unwrap();
            assert_eq!(mine.group().unwrap().snapshot().name, "mine");
            // Too late for a task, which is handed back.
            assert!(mine.run(worker("late")).unwrap_err().is_too_late());
            Ok(())
        })
        .unwrap();
    manager
        .run_ephemeral(task_fn("task", async |ctx: Context| {
            let mine = ManagerHandle::of(&ctx).unwrap();
            mine.run_ephemeral(task_fn("sibling", async |_| Ok(())))?;
            Ok(())
        }))
        .unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(report.totals().completed, 2);
}
