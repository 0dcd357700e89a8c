//! The setup of a service, as a member of its group.

use std::time::Duration;

use anyhow::anyhow;
use task_manager::{
    CauseKind, FailureOrigin, Manager, Outcome, Phase, Step, Task, TaskState, task_fn,
};

use crate::support::{Journal, SECOND, worker};

const LIMIT: Duration = Duration::from_secs(2);

/// Invariants 4 and 8.
#[tokio::test(start_paused = true)]
async fn the_setup_is_stopped_before_every_task_and_what_it_adds_until_then_is_admitted() {
    let manager = Manager::new();
    let setup = manager.begin_setup(LIMIT).unwrap();
    let journal = Journal::default();
    let worker = |name: &'static str| {
        let journal = journal.clone();
        task_fn(name, async move |ctx| {
            ctx.cancelled().await;
            journal.note(name);
            Ok(())
        })
    };
    manager.run(worker("early").in_phase(Phase::INGRESS)).unwrap();
    manager.stop();
    assert!(setup.context().is_cancelled());
    tokio::time::sleep(SECOND).await;
    assert_eq!(manager.group().step(), Step::Stopping);
    manager.run(worker("late").in_phase(Phase::INGRESS)).unwrap();
    manager.cleanup("pool", async || Ok(())).unwrap();
    tokio::time::sleep(SECOND / 2).await;
    assert!(journal.read().is_empty(), "no task is stopped while the setup is alive");
    drop(setup);
    let report = manager.wait().await.unwrap();
    assert_eq!(journal.read(), ["early", "late"]);
    assert_eq!(
        (&*report.tasks()[0].name, report.tasks()[0].outcome),
        ("setup", Outcome::Cancelled)
    );
    assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed));
    assert_eq!(report.totals().started, 2, "the setup is no task");
}

/// Invariants 7 and 8.
#[tokio::test(start_paused = true)]
async fn a_setup_that_does_not_end_is_abandoned_and_named_and_the_shutdown_goes_on() {
    let manager = Manager::builder().shutdown_timeout(10 * SECOND).build().unwrap();
    let setup = manager.begin_setup(LIMIT).unwrap();
    setup.context().set_status("resolving the name of the database");
    manager.run(worker("worker")).unwrap();
    manager.cleanup("pool", async || Ok(())).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the setup was abandoned ("), "{text}");
    assert!(text.ends_with("; resolving the name of the database)"), "{text}");
    let report = error.report().unwrap();
    assert_eq!(report.failures()[0].origin, FailureOrigin::Setup);
    assert_eq!(report.failures().len(), 1, "{report}");
    assert_eq!(report.cleanups()[0].outcome, Some(Outcome::Completed));
    let task = manager.group().snapshot().tasks.into_iter().find(|task| task.name == "setup");
    assert_eq!(task.map(|task| task.state), Some(TaskState::Abandoned));
    drop(setup);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_setup_that_ends_only_after_its_deadline_is_a_failure() {
    let manager = Manager::new();
    let setup = manager.begin_setup(LIMIT).unwrap();
    manager.stop();
    // Past its deadline, and before it is abandoned.
    tokio::time::sleep(LIMIT + SECOND / 10).await;
    drop(setup);
    let error = manager.wait().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the setup was aborted at its deadline ("), "{text}");
    assert_eq!(error.report().unwrap().tasks()[0].outcome, Outcome::Aborted);
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_ended_before_the_shutdown_leaves_no_trace() {
    let manager = Manager::new();
    let setup = manager.begin_setup(LIMIT).unwrap();
    let snapshot = manager.group().snapshot();
    assert_eq!((&*snapshot.tasks[0].name, snapshot.tasks[0].phase), ("setup", Phase::SETUP));
    drop(setup);
    manager.run(worker("worker")).unwrap();
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.tasks().len(), 1, "{report}");
    assert_eq!(report.totals().started, 1);
    let exits = manager.group().snapshot().exits;
    assert!(exits.iter().all(|exits| exits.name.as_deref() != Some("setup")), "{exits:?}");
}

#[tokio::test(start_paused = true)]
async fn the_setup_is_no_work_that_a_group_goes_on_or_drains_for() {
    let manager = Manager::builder().drain_delay(5 * SECOND).build().unwrap();
    let setup = manager.begin_setup(LIMIT).unwrap();
    manager.run(worker("signals").in_phase(Phase::SUPPORT)).unwrap();
    // It never had other tasks than support, so it goes on.
    let wait = tokio::time::timeout(60 * SECOND, manager.wait()).await;
    assert!(wait.is_err(), "{wait:?}");
    manager.stop();
    drop(setup);
    let steps = manager.wait().await.unwrap().steps();
    assert_eq!(steps.stopping, steps.triggered, "there is nothing to drain for");

    let manager = Manager::new();
    let setup = manager.begin_setup(LIMIT).unwrap();
    manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
    let (report, ()) = tokio::join!(manager.wait(), async {
        setup.context().cancelled().await;
        drop(setup);
    });
    assert_eq!(report.unwrap().cause().kind, CauseKind::Completed);
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_failed_setup_stops_the_group_and_is_alive_until_it_is_dropped() {
    let manager = Manager::new();
    let mut setup = manager.begin_setup(LIMIT).unwrap();
    setup.failed(anyhow!("no database"));
    tokio::time::sleep(SECOND).await;
    assert_eq!(manager.group().step(), Step::Stopping);
    drop(setup);
    let error = manager.wait().await.unwrap_err();
    assert_eq!((error.exit_code(), &*error.to_string()), (3, "the setup failed"));
    let report = error.report().unwrap();
    assert_eq!(report.failures().len(), 1, "{report}");
    assert_eq!(report.tasks()[0].outcome, Outcome::Failed);
}

#[tokio::test]
async fn a_setup_after_the_stop_is_refused() {
    let manager = Manager::new();
    manager.run(worker("worker")).unwrap();
    manager.stop();
    assert!(manager.begin_setup(LIMIT).unwrap_err().is_too_late());
}
