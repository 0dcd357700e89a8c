//! Periodic tasks under a manager: its shutdown and its report.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use task_core::{Outcome, Task, scope::StageCell};
use task_manager::{FailureKind, Manager};
use task_periodic::{LoopTask, OnFailure, PollTask};
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{ms, secs};

fn manager() -> Manager {
    Manager::builder().shutdown_timeout(secs(20)).cleanup_timeout(secs(1)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_run_in_progress_is_finished_before_the_deadline() {
    let manager = manager();
    let runs = Arc::new(AtomicU32::new(0));
    let task = LoopTask::new("sweep", secs(1), {
        let runs = runs.clone();
        async move |_| {
            sleep(secs(5)).await;
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    manager.run(task.unwrap()).unwrap();
    sleep(secs(7)).await;
    let report = manager.shutdown().await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let sweep = &report.tasks()[0];
    assert_eq!((sweep.outcome, sweep.stop_took), (Outcome::Completed, Some(secs(4))));
}

#[tokio::test(start_paused = true)]
async fn a_run_beyond_the_deadline_is_aborted_and_named() {
    let manager = manager();
    manager.run(PollTask::new("poll", secs(1), async |_| pending().await).unwrap()).unwrap();
    sleep(secs(5)).await;
    let stopped = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert!(stopped.elapsed() <= secs(20), "{:?}", stopped.elapsed());
    let poll = &error.report().unwrap().tasks()[0];
    assert_eq!(poll.outcome, Outcome::Aborted);
    assert_eq!(poll.status.as_deref(), Some("run 1 in progress; 0 failed"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_itself_with_cancelled_is_clean() {
    let manager = manager();
    let task = PollTask::new("poll", secs(1), async |ctx| {
        ctx.or_cancelled(pending::<()>()).await?;
        Ok(())
    });
    let handle = manager.run(task.unwrap()).unwrap();
    sleep(secs(5)).await;
    assert!(manager.shutdown().await.unwrap().is_clean());
    assert_eq!(handle.ended().await, Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_of_runs_leave_the_report_clean() {
    let manager = manager();
    let failing = LoopTask::new("failing", ms(1), async |_| anyhow::bail!("no")).unwrap();
    let panicking = LoopTask::new("panicking", ms(1), async |_| panic!("no")).unwrap();
    manager.run(failing).unwrap();
    manager.run(panicking).unwrap();
    sleep(secs(600)).await;
    let report = manager.shutdown().await.unwrap();
    assert_eq!((report.exit_code(), report.failures().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn failures_panics_and_timeouts_are_in_the_report_with_on_failure_record() {
    let manager = manager();
    let failing = LoopTask::new("failing", secs(60), async |_| anyhow::bail!("no disk")).unwrap();
    let panicking = LoopTask::new("panicking", secs(60), async |_| panic!("no memory")).unwrap();
    let late = LoopTask::new("late", secs(60), async |_| pending().await);
    let late = late.unwrap().run_timeout(secs(2));
    manager.run(failing.on_failure(OnFailure::Record)).unwrap();
    manager.run(panicking.on_failure(OnFailure::Record)).unwrap();
    manager.run(late.on_failure(OnFailure::Record)).unwrap();
    sleep(secs(10)).await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let texts: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(texts[0], "task `failing` failed and went on: no disk");
    assert_eq!(texts[1], "task `panicking` failed and went on: panicked: no memory");
    assert!(texts[2].starts_with("task `late` failed and went on: "), "{texts:?}");
    assert!(report.tasks().iter().all(|task| task.outcome == Outcome::Completed), "{report}");
    assert_eq!(report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_ends_the_task_is_reported_with_its_location() {
    let manager = manager();
    let task = LoopTask::new("loop", ms(1), async |_| panic!("on purpose")).unwrap();
    manager.run(task.on_failure(OnFailure::FailAfter(3))).unwrap();
    let error = timeout(secs(60), manager.wait()).await.unwrap().unwrap_err();
    let FailureKind::Panic(panic) = &error.root().unwrap().kind else { panic!("{error:?}") };
    assert_eq!(panic.message, "on purpose");
    assert!(panic.location.as_ref().unwrap().contains("managed.rs"), "{panic}");
}

#[tokio::test(start_paused = true)]
async fn a_gated_group_is_ready_after_the_first_successful_run() {
    let manager = manager();
    let runs = AtomicU32::new(0);
    let born = Instant::now();
    let task = PollTask::with_action(
        "poll",
        secs(10),
        task_periodic::stateful(runs, {
            async |runs: &mut AtomicU32, _| match runs.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => anyhow::bail!("not yet"),
                _ => Ok(()),
            }
        }),
    );
    manager.run(task.unwrap().gating_readiness()).unwrap();
    timeout(secs(60), manager.ready()).await.unwrap().unwrap();
    assert_eq!(born.elapsed(), secs(20));
    manager.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn runs_continue_while_the_group_drains() {
    let manager = Manager::builder().drain_delay(secs(5)).build().unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let task = PollTask::new("poll", secs(1), {
        let runs = runs.clone();
        async move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    manager.run(task.unwrap()).unwrap();
    // It drains once it was ready.
    timeout(ms(2500), manager.wait()).await.unwrap_err();
    manager.shutdown().await.unwrap();
    // At 0, 1 and 2 s, then in the drain from 2.5 to 7.5 s.
    assert_eq!(runs.load(Ordering::SeqCst), 8);
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn a_runtime_without_timers_is_a_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let task = LoopTask::new("loop", secs(1), async |_| Ok(())).unwrap();
    let _ = runtime.block_on(task.run(task_core::Context::new(Arc::new(StageCell::new()))));
}
