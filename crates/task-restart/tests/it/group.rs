//! A group that is restarted as one.

use std::sync::{Arc, Mutex};

use anyhow::bail;
use task_manager::{BoxTask, Context, Manager, Outcome, Phase, Task, task_fn};
use task_restart::{FailureLimit, restarting, restarting_group};
use tokio::time::sleep;

use crate::rig::{ms, secs};

type Events = Arc<Mutex<Vec<String>>>;

fn worker(name: &'static str, events: &Events) -> impl Task {
    let events = events.clone();
    task_fn(name, async move |ctx: Context| {
        events.lock().unwrap().push(format!("{name} begins"));
        ctx.set_ready(true);
        ctx.cancelled().await;
        events.lock().unwrap().push(format!("{name} ends"));
        Ok(())
    })
}

/// Invariant 8.
#[tokio::test(start_paused = true)]
async fn a_group_of_which_one_task_panics_is_stopped_in_order_cleaned_up_and_run_again() {
    let events = Events::default();
    let seen = events.clone();
    let mut made = 0;
    let ingest = restarting_group("ingest", move |group| {
        made += 1;
        let run = made;
        group.run(worker("fetch", &events).in_phase(Phase::INGRESS).gating_readiness())?;
        group.run(worker("store", &events))?;
        let cleaned = events.clone();
        group.cleanup("offsets", async move || {
            cleaned.lock().unwrap().push("cleaned up".into());
            Ok(())
        })?;
        if run == 1 {
            group.run(task_fn("parse", async |_| {
                sleep(secs(1)).await;
                panic!("unexpected token")
            }))?;
        }
        Ok(())
    })
    .unwrap();
    let service = Manager::new();
    service.run(ingest.gating_readiness()).unwrap();
    service.ready().await.unwrap();
    sleep(ms(1100)).await;
    let task = service.group().snapshot().tasks.remove(0);
    assert_eq!((&*task.name, task.is_ready, task.failures), ("ingest", false, 1));
    let status = task.status.as_deref().unwrap().to_owned();
    assert!(status.contains("run 1 failed: task `parse` panicked at "), "{status}");
    sleep(secs(2)).await;
    assert!(service.group().snapshot().tasks[0].is_ready);
    let report = service.shutdown().await.unwrap();
    assert_eq!((report.tasks()[0].restarts, report.tasks()[0].outcome), (1, Outcome::Completed));
    let run = ["fetch begins", "store begins", "fetch ends", "store ends", "cleaned up"];
    assert_eq!(*seen.lock().unwrap(), [run, run].concat());
}

/// Invariant 2.
#[tokio::test(start_paused = true)]
async fn a_group_that_fails_too_often_is_in_the_report_with_paths_and_the_count() {
    let limit = FailureLimit::new(2, secs(600)).unwrap();
    let worker = restarting_group("worker", |group| {
        group.run(task_fn("consumer", async |_| bail!("no broker")))?;
        Ok(())
    });
    let service = Manager::new();
    service.run(worker.unwrap().limit(limit)).unwrap();
    let error = service.wait().await.unwrap_err();
    let failures: Vec<_> =
        error.report().unwrap().failures().iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!(failures[0], "task `worker/consumer` failed: no broker");
    assert!(failures[1].starts_with("task `worker` failed: failed 3 times in "), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wanted_restart_of_a_group_runs_its_cleanups_first() {
    let events = Events::default();
    let seen = events.clone();
    let ingest = restarting_group("ingest", move |group| {
        group.run(worker("fetch", &events))?;
        let events = events.clone();
        group.cleanup("offsets", async move || {
            sleep(secs(1)).await;
            events.lock().unwrap().push("cleaned up".into());
            Ok(())
        })?;
        Ok(())
    })
    .unwrap();
    let handle = ingest.handle();
    let service = Manager::new();
    service.run(ingest).unwrap();
    sleep(secs(1)).await;
    handle.restart("new configuration");
    sleep(secs(5)).await;
    assert_eq!(*seen.lock().unwrap(), ["fetch begins", "fetch ends", "cleaned up", "fetch begins"]);
    assert!(service.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_overruns_a_wanted_restart_is_dropped_and_ended_before_the_next() {
    let events = Events::default();
    let seen = events.clone();
    let ingest = restarting_group("ingest", move |group| {
        let begun = events.clone();
        group.run(task_fn("stuck", async move |_| {
            begun.lock().unwrap().push("begins".into());
            std::future::pending().await
        }))?;
        let events = events.clone();
        group.cleanup("offsets", async move || {
            sleep(ms(100)).await;
            events.lock().unwrap().push("cleaned up".into());
            Ok(())
        })?;
        Ok(())
    })
    .unwrap();
    let ingest = ingest.run_stop_timeout(secs(5));
    let handle = ingest.handle();
    let service = Manager::new();
    service.run(ingest).unwrap();
    sleep(secs(1)).await;
    handle.restart("new configuration");
    sleep(secs(20)).await;
    assert_eq!(*seen.lock().unwrap(), ["begins", "cleaned up", "begins"]);
    let text = service.shutdown().await.unwrap_err().report().unwrap().to_string();
    assert!(text.contains("`ingest/stuck` was aborted at its deadline"), "nothing is lost: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_setup_of_a_group_that_fails_is_an_error_of_the_start() {
    let error = restarting_group("ingest", |_| bail!("no such topic")).unwrap_err();
    assert_eq!(error.to_string(), "no such topic");
}

/// Invariant 8. What a setup has begun before it fails is stopped, and its cleanups run.
#[tokio::test(start_paused = true)]
async fn a_later_setup_that_fails_or_panics_is_a_failed_run_with_its_cleanups() {
    let events = Events::default();
    let seen = events.clone();
    let mut made = 0;
    let ingest = restarting_group("ingest", move |group| {
        made += 1;
        let cleaned = events.clone();
        let run = made;
        group.cleanup("database", async move || {
            cleaned.lock().unwrap().push(format!("{run} cleaned up"));
            Ok(())
        })?;
        match run {
            1 => group.run(task_fn("fetch", async |_| bail!("no broker"))).map(drop)?,
            2 => bail!("no file"),
            3 => panic!("boom"),
            _ => group.run(worker("fetch", &events)).map(drop)?,
        }
        Ok(())
    })
    .unwrap();
    let service = Manager::new();
    service.run(ingest).unwrap();
    sleep(secs(60)).await;
    let task = service.group().snapshot().tasks.remove(0);
    assert_eq!((task.restarts, task.failures), (3, 3));
    assert!(service.shutdown().await.unwrap().is_clean());
    let expected = ["1 cleaned up", "2 cleaned up", "3 cleaned up", "fetch begins", "fetch ends"];
    assert_eq!(seen.lock().unwrap()[..5], expected);
    assert_eq!(seen.lock().unwrap()[5..], ["4 cleaned up"]);
}

/// Returns a restarted group in a restarted group, so many times, and a task within.
fn nested(levels: u32, events: &Events) -> BoxTask {
    if levels == 0 {
        return worker("innermost", events).gating_readiness().boxed();
    }
    let events = events.clone();
    let group = restarting(move || {
        let group = Manager::builder().name("level").build()?;
        group.run(nested(levels - 1, &events))?;
        Ok(group.into_task())
    });
    group.unwrap().gating_readiness().boxed()
}

#[tokio::test(start_paused = true)]
async fn readiness_and_a_stop_pass_through_a_hundred_levels_of_restarted_groups() {
    let events = Events::default();
    let service = Manager::new();
    service.run(nested(99, &events)).unwrap(); // the most that a manager allows
    service.ready().await.unwrap();
    assert!(service.shutdown().await.unwrap().is_clean());
    assert_eq!(*events.lock().unwrap(), ["innermost begins", "innermost ends"]);
}
