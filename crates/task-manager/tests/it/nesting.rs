//! A manager as a task of another.

use anyhow::anyhow;
use task_manager::{CauseKind, Context, Manager, Outcome, Step, task_fn};

use crate::support::{Journal, SECOND, deaf, slow, worker};

pub(crate) fn named(name: &'static str) -> Manager {
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
async fn in_a_path_too_repeated_names_are_told_apart() {
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
async fn an_inner_shutdown_that_has_begun_keeps_to_the_outer_deadline() {
    let outer = Manager::builder()
        .name("outer")
        .shutdown_timeout(5 * SECOND)
        .cleanup_timeout(SECOND)
        .build()
        .unwrap();
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
async fn inner_cleanups_that_run_already_keep_to_the_outer_deadline_too() {
    let outer =
        Manager::builder().name("outer").shutdown_timeout(5 * SECOND).cleanup_timeout(SECOND);
    let outer = outer.build().unwrap();
    let inner = Manager::builder()
        .name("ingest")
        .shutdown_timeout(60 * SECOND)
        .cleanup_timeout(50 * SECOND);
    let inner = inner.build().unwrap();
    inner.run(worker("consumer")).unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let late = async move || {
        let _ = tell.send(tokio::time::Instant::now());
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
    let waited = told.await.unwrap() - began;
    assert!(waited > SECOND && waited < 2 * SECOND, "each has half of what was left: {waited:?}");
    // Not the group as a whole: its cleanups have shared what was left, and the second of them has run.
    assert!(nested.outcome().is_some_and(|outcome| outcome != Outcome::Aborted), "{error:?}");
    let failures = error.report().unwrap().failures().iter().map(ToString::to_string);
    let hung = "cleanup `ingest/hanging` did not end by its deadline and was aborted";
    assert_eq!(failures.collect::<Vec<_>>(), [hung]);
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

#[tokio::test(start_paused = true)]
async fn a_nested_group_is_stopped_alone_with_its_task() {
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
async fn the_outer_drain_and_stop_are_one_cause_and_no_later_trigger_of_the_inner_group() {
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

#[tokio::test(start_paused = true)]
async fn a_nested_group_that_is_stopped_alone_still_keeps_to_the_outer_deadline() {
    let outer = Manager::builder()
        .name("outer")
        .shutdown_timeout(5 * SECOND)
        .cleanup_timeout(SECOND)
        .build()
        .unwrap();
    let inner = named("ingest");
    inner.run(deaf("deaf")).unwrap();
    let task = outer.run_ephemeral(inner.into_task()).unwrap();
    outer.run(worker("other")).unwrap();
    tokio::time::sleep(SECOND).await;
    task.stop();
    tokio::time::sleep(SECOND).await;
    let error = outer.shutdown().await.unwrap_err();
    assert_eq!(task.outcome(), Some(Outcome::Aborted));
    let failures = error.report().unwrap().failures();
    let names: Vec<_> = failures.iter().map(|failure| &*failure.name).collect();
    assert_eq!(names, ["ingest/deaf", "ingest"]);
}
