//! Under a manager: report, view, shutdown.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use anyhow::bail;
use task_manager::{Blocker, Context, Manager, Outcome, Task, blocking_task, task_fn};
use task_restart::{FailureLimit, restarting};
use tokio::{sync::Notify, time::sleep};

use crate::rig::{ms, secs};

/// Returns a factory of tasks that fail `times` times, and then work until they are stopped.
fn failing(times: u32) -> impl FnMut() -> anyhow::Result<task_manager::BoxTask> + Send + 'static {
    let failed = Arc::new(AtomicU32::new(0));
    move || {
        let failed = failed.clone();
        Ok(task_fn("consumer", async move |ctx: Context| {
            if failed.fetch_add(1, Ordering::SeqCst) < times {
                bail!("no broker")
            }
            ctx.set_ready(true);
            ctx.cancelled().await;
            Ok(())
        })
        .boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_recovered_leaves_a_clean_report_that_shows_its_restarts() {
    let manager = Manager::new();
    manager.run(restarting(failing(3)).unwrap().gating_readiness()).unwrap();
    manager.ready().await.unwrap();
    let task = manager.group().snapshot().tasks.remove(0);
    assert_eq!((task.restarts, task.failures, task.waiting), (3, 3, None));
    assert_eq!(task.status, None, "that of the wait is gone");
    let report = manager.shutdown().await.unwrap();
    assert!(report.is_clean());
    let task = &report.tasks()[0];
    assert_eq!((task.restarts, task.failures, task.outcome), (3, 3, Outcome::Completed));
    assert!(report.to_string().contains("restarted 3 times"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_view_shows_for_how_long_the_task_waits_and_that_it_is_not_ready() {
    let manager = Manager::new();
    manager.run(restarting(failing(4)).unwrap().gating_readiness()).unwrap();
    let wait = manager.wait();
    tokio::pin!(wait);
    let check = async {
        sleep(ms(400)).await;
        let snapshot = manager.group().snapshot();
        let task = &snapshot.tasks[0];
        assert!(task.waiting.is_some_and(|left| left <= ms(600)), "{task:?}");
        let status = task.status.as_deref().unwrap();
        assert!(status.ends_with("for run 2; run 1 failed: no broker"), "{status}");
        assert_eq!(snapshot.readiness.blockers, [Blocker::NotReady("consumer".into())]);
        manager.stop();
    };
    tokio::join!(wait, check).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_stop_the_group_with_a_cause_that_can_be_read() {
    let manager = Manager::new();
    let limit = FailureLimit::new(5, secs(600)).unwrap();
    manager.run(restarting(failing(100)).unwrap().limit(limit)).unwrap();
    let error = manager.wait().await.unwrap_err();
    let text = error.report().unwrap().to_string();
    assert!(text.contains("failure: task `consumer` failed: failed 6 times in "), "{text}");
    assert!(text.contains(" (first: no broker): no broker"), "{text}");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_panic_that_was_survived_is_recorded_with_its_place_where_asked_for() {
    let manager = Manager::new();
    let mut runs = 0;
    let factory = move || {
        runs += 1;
        let run = runs;
        Ok(task_fn("consumer", async move |_| if run == 1 { panic!("boom") } else { Ok(()) }))
    };
    manager.run(restarting(factory).unwrap().record_failures()).unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.failures().len(), 1);
    let text = report.failures()[0].to_string();
    assert!(
        text.contains("went on after it panicked at ") && text.contains("managed.rs:"),
        "{text}"
    );
    assert_eq!(report.tasks()[0].outcome, Outcome::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_shutdown_is_the_tasks_with_its_place() {
    let manager = Manager::new();
    let factory = || {
        Ok(task_fn("consumer", async |ctx: Context| {
            ctx.cancelled().await;
            panic!("in the stop")
        }))
    };
    manager.run(restarting(factory).unwrap()).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let text = error.report().unwrap().failures()[0].to_string();
    assert!(text.contains("managed.rs:") && text.ends_with(": in the stop"), "{text}");
}

/// Invariant 7. A run that never ends in a shutdown is aborted with the task, and not run again.
#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_is_aborted_at_the_deadline_of_its_phase() {
    let manager = Manager::new();
    let factory = || Ok(task_fn("stuck", async |_| std::future::pending().await));
    manager.run(restarting(factory).unwrap()).unwrap();
    sleep(secs(1)).await;
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(error.report().unwrap().tasks()[0].outcome, Outcome::Aborted);
}

/// Invariant 2.
#[tokio::test]
async fn a_blocking_task_that_fails_or_panics_is_run_again_and_the_panic_has_its_place() {
    let manager = Manager::new();
    let mut runs = 0;
    let factory = move || {
        runs += 1;
        let run = runs;
        Ok(blocking_task("worker", move |_| match run {
            1 | 3 => panic!("boom"),
            2 | 4 => bail!("no broker"),
            _ => Ok(()),
        }))
    };
    let short = task_core::Backoff::new(ms(1), ms(1)).unwrap();
    let task = restarting(factory).unwrap().backoff(short).record_failures();
    manager.run(task).unwrap();
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.tasks()[0].restarts, report.tasks()[0].outcome), (4, Outcome::Completed));
    let failures: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 4, "{failures:?}");
    assert!(failures[0].contains("went on after it panicked at "), "{failures:?}");
    assert!(failures[0].contains("managed.rs:") && failures[0].ends_with(": boom"), "{failures:?}");
    assert_eq!(failures[1], "task `worker` failed and went on: no broker");
}

/// Returns a factory of tasks whose helper, which keeps a hold, panics when `when` says so.
fn with_helper(
    when: fn(u32) -> bool,
) -> impl FnMut() -> anyhow::Result<task_manager::BoxTask> + Send + 'static {
    let mut runs = 0;
    move || {
        runs += 1;
        let run = runs;
        Ok(task_fn("worker", async move |ctx: Context| {
            let (hold, helper) = (ctx.hold(), ctx.clone());
            tokio::spawn(async move {
                let _hold = hold;
                if !when(run) {
                    helper.cancelled().await;
                }
                assert!(run > 1, "of a helper");
            });
            ctx.set_ready(true);
            ctx.cancelled().await;
            Ok(())
        })
        .boxed())
    }
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_helper_that_panics_beside_its_hold_fails_the_run_and_not_the_task() {
    let manager = Manager::new();
    let task = restarting(with_helper(|run| run == 1)).unwrap();
    manager.run(task.gating_readiness()).unwrap();
    sleep(secs(5)).await;
    let task = manager.group().snapshot().tasks.remove(0);
    assert_eq!((task.restarts, task.failures, task.is_ready), (1, 1, true));
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.tasks()[0].outcome, Outcome::Completed);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_helper_that_panics_in_the_stop_fails_the_task_once() {
    let manager = Manager::new();
    manager.run(restarting(with_helper(|_| false)).unwrap()).unwrap();
    sleep(secs(5)).await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.tasks()[0].outcome, Outcome::Panicked, "{report}");
    assert_eq!(report.failures().len(), 1, "{report}");
    assert!(report.failures()[0].to_string().ends_with(": of a helper"), "{report}");
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_helper_that_panics_after_its_run_is_in_the_report() {
    let manager = Manager::new();
    let handle = {
        let task = restarting(with_helper(|_| false)).unwrap();
        let handle = task.handle();
        manager.run(task).unwrap();
        handle
    };
    sleep(secs(5)).await;
    handle.restart("new certificate"); // the run ends, and then its helper panics
    sleep(secs(5)).await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.failures().len(), report.tasks()[0].restarts), (1, 1), "{report}");
    let text = report.failures()[0].to_string();
    assert!(text.contains("went on after it panicked at ") && text.ends_with(": of a helper"));
}

/// An ephemeral task that completes counts as completed, and leaves the group running.
#[tokio::test(start_paused = true)]
async fn an_ephemeral_task_that_completes_after_restarts_has_completed() {
    let manager = Manager::new();
    let mut runs = 0;
    let factory = move || {
        runs += 1;
        let run = runs;
        Ok(task_fn("job", async move |_| if run < 3 { bail!("no broker") } else { Ok(()) }))
    };
    manager.run_ephemeral(restarting(factory).unwrap()).unwrap();
    manager
        .run(task_fn("main", async |ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        }))
        .unwrap();
    sleep(secs(60)).await;
    let snapshot = manager.group().snapshot();
    assert_eq!((snapshot.tasks.len(), snapshot.totals.completed), (1, 1));
    assert!(manager.shutdown().await.unwrap().is_clean());
}

/// Invariant 12.
#[tokio::test(start_paused = true)]
async fn two_tasks_that_fail_in_turns_are_never_both_counted_from_runs_that_are_over() {
    let manager = Manager::new();
    let are_ready = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    for (index, name) in ["one", "other"].into_iter().enumerate() {
        let are_ready = are_ready.clone();
        let factory = move || {
            let are_ready = are_ready.clone();
            Ok(task_fn(name, async move |ctx: Context| {
                let period = ms(700 + 300 * index as u64);
                ctx.or_cancelled(sleep(period)).await?;
                are_ready[index].store(1, Ordering::SeqCst);
                ctx.set_ready(true);
                let stopped = ctx.or_cancelled(sleep(period)).await;
                are_ready[index].store(0, Ordering::SeqCst);
                stopped?;
                bail!("no broker")
            }))
        };
        let short = task_core::Backoff::new(ms(500), ms(500)).unwrap();
        let task = restarting(factory).unwrap().backoff(short).limit(FailureLimit::NONE);
        manager.run(task.gating_readiness()).unwrap();
    }
    let (mut ready, mut samples) = (0, 0);
    let wait = manager.wait();
    let check = async {
        for _ in 0..10_000 {
            sleep(ms(7)).await;
            samples += 1;
            if manager.group().readiness().is_ready() {
                ready += 1;
                let both = are_ready.iter().all(|one| one.load(Ordering::SeqCst) == 1);
                assert!(both, "at sample {samples}");
            }
        }
        manager.stop();
    };
    tokio::join!(wait, check).0.unwrap();
    assert!(ready > 100 && ready < samples / 2, "{ready} of {samples}");
}

/// Invariant 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_blocks_its_thread_in_the_stop_is_named_and_the_deadline_holds() {
    let builder = Manager::builder().shutdown_timeout(secs(2)).cleanup_timeout(ms(100));
    let manager = builder.build().unwrap();
    let (_release, released) = std::sync::mpsc::channel::<()>();
    let (released, begun) = (Arc::new(Mutex::new(released)), Arc::new(Notify::new()));
    let has_begun = begun.clone();
    let factory = move || {
        let (released, begun) = (released.clone(), begun.clone());
        Ok(task_fn("consumer", async move |ctx: Context| {
            begun.notify_one();
            ctx.cancelled().await;
            ctx.set_status("flushing");
            let _ = released.lock().unwrap().recv_timeout(secs(60));
            Ok(())
        }))
    };
    manager.run(restarting(factory).unwrap()).unwrap();
    has_begun.notified().await;
    let began = std::time::Instant::now();
    let text = manager.shutdown().await.unwrap_err().report().unwrap().to_string();
    assert!(began.elapsed() < secs(30), "{text}");
    let failure = text.lines().find(|line| line.contains("failure: task `consumer`")).unwrap();
    assert!(failure.contains("was abandoned") && failure.contains("; flushing)"), "{text}");
}

/// Invariant 2: no error replaces another.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_run_of_which_a_helper_panicked_is_in_the_report_beside_the_panic() {
    for end in ["cancelled", "an error", "a panic"] {
        let manager = Manager::new();
        let mut runs = 0;
        let factory = move || {
            runs += 1;
            let run = runs;
            Ok(task_fn("worker", async move |ctx: Context| {
                if run == 1 {
                    let hold = ctx.hold();
                    tokio::spawn(async move {
                        let _hold = hold;
                        panic!("of a helper")
                    });
                    let cancelled = ctx.or_cancelled(std::future::pending::<()>()).await;
                    assert!(end != "a panic", "not flushed");
                    anyhow::ensure!(end == "cancelled", "not flushed");
                    cancelled?;
                }
                Ok(())
            }))
        };
        manager.run(restarting(factory).unwrap().record_failures()).unwrap();
        let error = manager.wait().await.unwrap_err();
        let failures: Vec<_> =
            error.report().unwrap().failures().iter().map(ToString::to_string).collect();
        assert_eq!(failures.len(), if end == "cancelled" { 1 } else { 2 }, "{failures:?}");
        assert!(failures.iter().any(|text| text.ends_with(": of a helper")), "{failures:?}");
        let has_error = failures.iter().any(|text| text.ends_with(": not flushed"));
        assert_eq!(has_error, end != "cancelled", "{failures:?}");
    }
}
