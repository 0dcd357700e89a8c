//! A manager as a task of another.

use anyhow::anyhow;
use task_manager::{Manager, Outcome, task_fn};

use crate::support::{Journal, SECOND, deaf, slow, worker};

fn named(name: &'static str) -> Manager {
    Manager::builder().name(name).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_outer_stop_ends_the_inner_group_with_its_cleanups() {
    let journal = Journal::default();
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(slow("consumer", SECOND, &journal)).unwrap();
    let noted = journal.clone();
    inner
        .cleanup("close", async move || {
            noted.note("closed");
            Ok(())
        })
        .unwrap();
    let task = outer.run(inner.into_task()).unwrap();
    outer.shutdown().await.unwrap();
    assert_eq!(task.outcome(), Some(Outcome::Completed));
    assert_eq!(journal.read(), ["consumer stopping", "consumer ended", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn an_inner_failure_surfaces_once_with_its_path() {
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(worker("other")).unwrap();
    inner.run(task_fn("consumer", async |_| Err(anyhow!("no broker")))).unwrap();
    outer.run(inner.into_task()).unwrap();
    let error = outer.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "task `ingest/consumer` failed");
    assert_eq!(error.report().unwrap().failures().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_outer_deadline_bounds_the_inner_and_names_who_held_it() {
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(deaf("deaf")).unwrap();
    outer.run(inner.into_task()).unwrap();
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 20 * SECOND, "{:?}", began.elapsed());
    assert_eq!(error.to_string(), "task `ingest/deaf` did not end by its deadline and was aborted");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_enclosing_manager_is_an_error() {
    let (outer, inner) = (named("outer"), named("inner"));
    let handle = outer.handle();
    inner
        .run_ephemeral(task_fn("task", async move |_| {
            assert!(handle.wait().await.unwrap_err().is_inside());
            Ok(())
        }))
        .unwrap();
    let journal = Journal::default();
    let noted = journal.clone();
    inner
        .cleanup("seen", async move || {
            noted.note("ended");
            Ok(())
        })
        .unwrap();
    outer.run_ephemeral(inner.into_task()).unwrap();
    outer.wait().await.unwrap();
    assert_eq!(journal.read(), ["ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_levels_end_cleanly() {
    let mut manager = named("innermost");
    manager.run(worker("work")).unwrap();
    for _ in 0..1_000 {
        let outer = named("level");
        outer.run(manager.into_task()).unwrap();
        manager = outer;
    }
    tokio::time::sleep(SECOND).await;
    let report = manager.shutdown().await.unwrap();
    assert_eq!(report.totals().completed, 1);
}
