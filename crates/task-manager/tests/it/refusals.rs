//! Reasons of a refusal: each predicate is true of one reason only.

use anyhow::anyhow;
use task_manager::{Manager, Refused, RefusedReason, ShutdownError, task_fn};
use tokio::runtime::Builder;

use crate::support::worker;

fn reasons_of_wait(error: &ShutdownError) -> Vec<&'static str> {
    let reasons = [
        (error.is_inside(), "inside"),
        (error.is_no_runtime(), "no runtime"),
        (error.is_no_thread(), "no thread"),
        (error.is_gone(), "gone"),
    ];
    reasons.into_iter().filter_map(|(is_it, name)| is_it.then_some(name)).collect()
}

fn reasons_of_run<T>(refused: &Refused<T>) -> Vec<&'static str> {
    let reasons = [
        (refused.is_too_late(), "too late"),
        (refused.reason().is_no_runtime(), "no runtime"),
        (refused.reason().is_no_thread(), "no thread"),
    ];
    reasons.into_iter().filter_map(|(is_it, name)| is_it.then_some(name)).collect()
}

/// Invariant 6.
#[tokio::test(start_paused = true)]
async fn a_refused_wait_has_its_reason_and_a_wait_that_saw_a_failure_has_the_report() {
    let manager = Manager::new();
    let handle = manager.handle();
    manager
        .run_ephemeral(task_fn("task", async move |_| {
            let error = handle.wait().await.unwrap_err();
            assert_eq!((reasons_of_wait(&error), error.report().is_none()), (vec!["inside"], true));
            Err(anyhow!("broken"))
        }))
        .unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.report().unwrap().failures()[0].to_string(), "task `task` failed: broken");
    assert_eq!(reasons_of_wait(&error), [""; 0]);
    let handle = manager.handle();
    assert!(handle.group().is_some());
    drop(manager);
    assert!(handle.group().is_none());
    assert_eq!(reasons_of_wait(&handle.wait().await.unwrap_err()), ["gone"]);
    assert_eq!(reasons_of_run(&handle.run(worker("late")).unwrap_err()), ["too late"]);
}

/// FAILURES 51.
#[test]
fn without_a_runtime_the_only_reason_is_the_missing_runtime() {
    let manager = Manager::new();
    assert_eq!(reasons_of_run(&manager.run(worker("work")).unwrap_err()), ["no runtime"]);
    let runtime = Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(manager.wait()).unwrap_err();
    assert_eq!(reasons_of_wait(&error), ["no runtime"]);
}

#[tokio::test]
async fn the_reason_is_found_in_an_error_chain_without_the_type_of_the_refused_task() {
    let manager = Manager::new();
    manager.shutdown().await.unwrap();
    let refused = manager.run(worker("late")).unwrap_err();
    let error = anyhow::Error::new(refused).context("starting the consumer");
    assert_eq!(
        format!("{error:#}"),
        "starting the consumer: `late` was refused: the manager has ended"
    );
    let found = error.chain().find_map(|cause| cause.downcast_ref::<RefusedReason>());
    assert!(found.is_some_and(RefusedReason::is_too_late));
}
