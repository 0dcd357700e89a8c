//! Managers as tasks of other managers.

use anyhow::anyhow;
use task_manager::{CauseKind, Context, Manager, Outcome, Step, task_fn};

use crate::support::{Journal, SECOND, begin_wait, slow, unresponsive, worker};

pub(crate) fn named(name: &'static str) -> Manager {
    Manager::builder().name(name).build().unwrap()
}

/// FAILURES 38.
#[tokio::test(start_paused = true)]
async fn the_outer_stop_ends_the_nested_group_and_runs_its_cleanups() {
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

/// Invariant 2. FAILURES 38.
#[tokio::test(start_paused = true)]
async fn a_failure_in_a_nested_group_is_reported_once_with_its_path() {
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(worker("other")).unwrap();
    inner.run(task_fn("consumer", async |_| Err(anyhow!("no broker")))).unwrap();
    outer.run(inner.into_task()).unwrap();
    let error = outer.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "task `ingest/consumer` failed");
    assert_eq!(error.report().unwrap().failures().len(), 1);
}

/// FAILURES 74.
#[tokio::test(start_paused = true)]
async fn repeated_names_in_a_path_are_numbered() {
    let outer = named("outer");
    for _ in 0..2 {
        let inner = named("ingest");
        inner.run(worker("other")).unwrap();
        for _ in 0..2 {
            let failing = async |ctx: Context| {
                ctx.cancelled().await;
                Err(anyhow!("no broker"))
            };
            inner.run(task_fn("consumer", failing)).unwrap();
        }
        outer.run(inner.into_task()).unwrap();
    }
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    let names = error.report().unwrap().failures().iter().map(|failure| &*failure.name);
    let first = ["ingest#1/consumer#2", "ingest#1/consumer#3"];
    let second = ["ingest#2/consumer#2", "ingest#2/consumer#3"];
    assert_eq!(names.collect::<Vec<_>>(), [first, second].concat());
}

/// Invariant 3. FAILURES 39.
#[tokio::test(start_paused = true)]
async fn the_outer_deadline_bounds_the_nested_group_and_the_late_task_is_named() {
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(unresponsive("unresponsive")).unwrap();
    outer.run(inner.into_task()).unwrap();
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 25 * SECOND, "{:?}", began.elapsed());
    assert_eq!(
        error.to_string(),
        "task `ingest/unresponsive` was aborted at its deadline (phase WORK had 24.45 s)"
    );
}

/// Invariant 6. FAILURES 25.
#[tokio::test(start_paused = true)]
async fn waiting_for_an_outer_manager_is_an_error() {
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

/// Invariant 3. FAILURES 39.
#[tokio::test(start_paused = true)]
async fn a_nested_shutdown_that_has_begun_keeps_to_the_outer_deadline() {
    let outer = Manager::builder()
        .name("outer")
        .shutdown_timeout(5 * SECOND)
        .cleanup_timeout(SECOND)
        .build()
        .unwrap();
    let inner = named("ingest");
    inner.run(unresponsive("unresponsive")).unwrap();
    inner.run(task_fn("bad", async |_| Err(anyhow!("no")))).unwrap();
    let task = outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 5 * SECOND, "{:?}", began.elapsed());
    assert_eq!(task.outcome(), Some(Outcome::Failed), "it ended within its deadline");
    let names: Vec<_> =
        error.report().unwrap().failures().iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["ingest/bad", "ingest/unresponsive"]);
}

/// Invariant 3. FAILURES 39.
#[tokio::test(start_paused = true)]
async fn nested_cleanups_that_already_run_keep_to_the_outer_deadline() {
    let outer =
        Manager::builder().name("outer").shutdown_timeout(5 * SECOND).cleanup_timeout(SECOND);
    let outer = outer.build().unwrap();
    let inner = Manager::builder()
        .name("ingest")
        .shutdown_timeout(60 * SECOND)
        .cleanup_timeout(50 * SECOND);
    let inner = inner.build().unwrap();
    inner.run(worker("consumer")).unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let late = async move || {
        let _ = sender.send(tokio::time::Instant::now());
        Ok(())
    };
    inner.cleanup("late", late).unwrap();
    inner.cleanup("hanging", async || std::future::pending().await).unwrap();
    inner.stop();
    let nested = outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    let began = tokio::time::Instant::now();
    let error = outer.shutdown().await.unwrap_err();
    assert!(began.elapsed() <= 4 * SECOND, "{:?}", began.elapsed());
    let waited = receiver.await.unwrap() - began;
    assert!(waited > 3 * SECOND && waited < 4 * SECOND, "all but a second: {waited:?}");
    // The group as a whole was not aborted: its cleanups shared the rest of the budget, and the
    // second one ran.
    assert!(nested.outcome().is_some_and(|outcome| outcome != Outcome::Aborted), "{error:?}");
    let failures = error.report().unwrap().failures().iter().map(ToString::to_string);
    let hung = "cleanup `ingest/hanging` was aborted at its deadline (it had 4.55 s)";
    assert_eq!(failures.collect::<Vec<_>>(), [hung]);
}

#[tokio::test(start_paused = true)]
async fn the_nested_group_drains_with_the_outer_group() {
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
    begin_wait(&outer);
    tokio::time::sleep(SECOND).await;
    outer.shutdown().await.unwrap();
    assert_eq!(journal.read(), ["draining, ready: false", "cancelled after 3s"]);
}

/// Invariant 6.
#[tokio::test(start_paused = true)]
async fn running_a_manager_in_a_manager_built_by_one_of_its_own_tasks_is_refused() {
    let outer = named("outer");
    let (sender, receiver) = tokio::sync::oneshot::channel();
    outer
        .run_ephemeral(task_fn("builder", async move |_| {
            let _ = sender.send(named("built inside"));
            Ok(())
        }))
        .unwrap();
    let built = receiver.await.unwrap();
    built.run_ephemeral(outer.into_task()).unwrap();
    let error = built.wait().await.unwrap_err();
    let inner = error.downcast_ref::<task_manager::ShutdownError>().unwrap();
    assert!(inner.is_inside(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn stopping_the_task_of_a_nested_group_stops_that_group_alone() {
    let (outer, inner) = (named("outer"), named("ingest"));
    inner.run(worker("consumer")).unwrap();
    let handle = inner.handle();
    let task = outer.run_ephemeral(inner.into_task()).unwrap();
    outer.run(worker("other")).unwrap();
    tokio::time::sleep(SECOND).await;
    task.stop();
    assert_eq!(task.ended().await, Outcome::Completed);
    assert!(handle.group().is_none_or(|group| group.step() == Step::Ended));
    assert_eq!(outer.group().step(), Step::Running);
    let report = outer.shutdown().await.unwrap();
    assert!(report.later_triggers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_outer_drain_and_stop_are_a_single_trigger_of_the_nested_group() {
    let outer = Manager::builder().drain_delay(3 * SECOND).build().unwrap();
    let inner = named("inner");
    inner.run(worker("work")).unwrap();
    let handle = inner.handle();
    outer.run(inner.into_task()).unwrap();
    let waiting = tokio::spawn(async move { handle.wait().await });
    tokio::time::sleep(SECOND).await;
    outer.shutdown().await.unwrap();
    let report = waiting.await.unwrap().unwrap();
    assert_eq!(report.cause().kind, CauseKind::Parent);
    assert!(report.later_triggers().is_empty(), "{report}");
}

/// Invariant 3. FAILURES 39.
#[tokio::test(start_paused = true)]
async fn a_nested_group_that_was_stopped_alone_keeps_to_the_outer_deadline() {
    let outer = Manager::builder()
        .name("outer")
        .shutdown_timeout(5 * SECOND)
        .cleanup_timeout(SECOND)
        .build()
        .unwrap();
    let inner = named("ingest");
    inner.run(unresponsive("unresponsive")).unwrap();
    let task = outer.run_ephemeral(inner.into_task()).unwrap();
    outer.run(worker("other")).unwrap();
    tokio::time::sleep(SECOND).await;
    task.stop();
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Aborted));
    let failures = error.report().unwrap().failures();
    let names: Vec<_> = failures.iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["ingest/unresponsive", "ingest"]);
}
