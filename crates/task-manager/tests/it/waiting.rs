//! `wait`: several callers, dropped waits, and calls from inside or without a runtime.

use std::sync::Arc;

use task_manager::{CauseKind, Context, Manager, Phase, Task, blocking_task, task_fn};

use crate::support::{SECOND, worker};

/// FAILURES 40.
#[tokio::test(start_paused = true)]
async fn an_empty_group_completes_at_the_first_wait_and_not_before() {
    let manager = Manager::new();
    tokio::time::sleep(SECOND).await;
    assert_eq!(manager.group().step(), task_manager::Step::Running);
    assert_eq!(manager.wait().await.unwrap().cause().kind, CauseKind::Completed);
}

#[tokio::test(start_paused = true)]
async fn the_group_completes_when_only_support_tasks_are_left_if_there_was_other_work() {
    let manager = Manager::new();
    manager.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
    assert_eq!(manager.wait().await.unwrap().cause().kind, CauseKind::Completed);

    let manager = Arc::new(Manager::new());
    manager.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait().await }
    });
    tokio::time::sleep(100 * SECOND).await;
    assert!(!waiting.is_finished(), "support tasks alone are the work");
    manager.stop();
    waiting.await.unwrap().unwrap();
}

/// Invariant 5.
#[tokio::test(start_paused = true)]
async fn a_thousand_waits_get_the_same_result_and_a_dropped_wait_changes_nothing() {
    let manager = Arc::new(Manager::new());
    manager.run(worker("work")).unwrap();
    let abandoned = tokio::time::timeout(SECOND, manager.wait()).await;
    assert!(abandoned.is_err());
    let waits: Vec<_> = (0..1_000)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.wait().await.unwrap().steps().ended })
        })
        .collect();
    tokio::task::yield_now().await;
    manager.stop();
    let first = manager.wait().await.unwrap().steps().ended;
    for wait in waits {
        assert_eq!(wait.await.unwrap(), first);
    }
}

/// Invariant 6. FAILURES 25.
#[tokio::test]
async fn waiting_from_inside_is_an_error_at_once() {
    let manager = Manager::new();
    let inner_handle = manager.handle();
    manager
        .run_ephemeral(task_fn("task", async move |_| {
            assert!(inner_handle.wait().await.unwrap_err().is_inside());
            Ok(())
        }))
        .unwrap();
    let handle = manager.handle();
    manager
        .run_ephemeral(blocking_task("thread", move |_: Context| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            assert!(runtime.block_on(handle.wait()).unwrap_err().is_inside());
            Ok(())
        }))
        .unwrap();
    let handle = manager.handle();
    manager
        .cleanup("hook", async move || {
            assert!(handle.wait().await.unwrap_err().is_inside());
            Ok(())
        })
        .unwrap();
    manager.wait().await.unwrap();
}

/// FAILURES 51 and 53.
#[test]
fn without_a_runtime_or_its_time_driver_run_and_wait_return_typed_errors() {
    let manager = Manager::new();
    let refused = manager.run(worker("work")).unwrap_err();
    assert!(refused.reason().is_no_runtime());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert!(
            manager.run(refused.into_inner()).unwrap_err().reason().is_no_runtime(),
            "no time driver"
        );
        assert!(manager.wait().await.unwrap_err().is_no_runtime());
    });
}

/// FAILURES 51.
#[test]
fn a_manager_built_outside_of_a_runtime_is_tied_to_that_of_its_first_use() {
    let manager = Manager::new();
    manager.cleanup("close", async || Ok(())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        manager.run(worker("work"))?;
        manager.shutdown().await.map_err(anyhow::Error::from)
    });
    assert_eq!(report.unwrap().cleanups().len(), 1);
}

/// FAILURES 5.
#[tokio::test(start_paused = true)]
async fn a_group_of_ephemeral_tasks_completes_when_all_have_ended() {
    let manager = Manager::new();
    for seconds in 1..=3 {
        let sleep = tokio::time::sleep(seconds * SECOND);
        let job = task_fn("job", async move |_| {
            sleep.await;
            Ok(())
        });
        manager.run_ephemeral(job).unwrap();
    }
    let report = manager.wait().await.unwrap();
    assert_eq!(report.cause().kind, CauseKind::Completed);
    assert_eq!(report.steps().triggered, 3 * SECOND);
    assert_eq!(report.totals().completed, 3);
}
