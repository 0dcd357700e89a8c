//! A manager as a task of another.

use anyhow::anyhow;
use task_manager::{Context, Manager, Outcome, task_fn};

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

#[tokio::test(start_paused = true)]
async fn an_inner_shutdown_that_has_begun_keeps_to_the_outer_deadline() {
    let outer =
        Manager::builder().name("outer").total(5 * SECOND).cleanup_budget(SECOND).build().unwrap();
    let inner = named("ingest");
    inner.run(deaf("deaf")).unwrap();
    inner.run(task_fn("bad", async |_| Err(anyhow!("no")))).unwrap();
    let task = outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 5 * SECOND, "{:?}", began.elapsed());
    assert_eq!(task.outcome(), Some(Outcome::Failed), "ended by itself, and was not abandoned");
    let names: Vec<_> =
        error.report().unwrap().failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["ingest/bad", "ingest/deaf"]);
}

#[tokio::test(start_paused = true)]
async fn the_outer_drain_is_the_inner_ones_too() {
    let outer = Manager::builder().drain_delay(3 * SECOND).build().unwrap();
    let inner = named("inner");
    let journal = Journal::default();
    let noted = journal.clone();
    inner
        .run(task_fn("work", async move |ctx: Context| {
            ctx.draining().await;
            noted.note(format!("draining, ready: {}", ctx.group().readiness().is_ready()));
            let began = tokio::time::Instant::now();
            ctx.cancelled().await;
            noted.note(format!("cancelled after {:?}", began.elapsed()));
            Ok(())
        }))
        .unwrap();
    outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    outer.shutdown().await.unwrap();
    assert_eq!(journal.read(), ["draining, ready: false", "cancelled after 3s"]);
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_to_run_inside_of_one_made_in_it_is_refused_and_searched_for_only_once() {
    let outer = named("outer");
    let (give, take) = tokio::sync::oneshot::channel();
    outer
        .run_ephemeral(task_fn("maker", async move |_| {
            let _ = give.send(named("made inside"));
            Ok(())
        }))
        .unwrap();
    let made = take.await.unwrap();
    made.run_ephemeral(outer.into_task()).unwrap();
    let error = made.wait().await.unwrap_err();
    let inner = error.downcast_ref::<task_manager::ShutdownError>().unwrap();
    assert!(inner.is_inside(), "{error:?}");
}
