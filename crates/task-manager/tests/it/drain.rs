//! The drain: its conditions, its end, and the tasks that observe it.

use std::time::Duration;

use anyhow::anyhow;
use task_manager::{Context, Manager, ManagerBuilder, Phase, Step, Task, task_fn};
use tokio::time::Instant;

use crate::{
    nesting::named,
    support::{Journal, SECOND, begin_wait, worker},
};

#[tokio::test(start_paused = true)]
async fn work_goes_on_during_the_drain_which_ends_early_when_only_support_is_left() {
    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    let journal = Journal::default();
    let noted = journal.clone();
    manager
        .run(task_fn("work", async move |ctx: Context| {
            ctx.draining().await;
            noted.note("draining");
            assert!(!ctx.is_cancelled());
            tokio::time::sleep(3 * SECOND).await;
            Ok(())
        }))
        .unwrap();
    manager.run(worker("probes").in_phase(Phase::SUPPORT)).unwrap();
    begin_wait(&manager);
    let began = Instant::now();
    manager.shutdown().await.unwrap();
    assert_eq!(journal.read(), ["draining"]);
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_drain_is_skipped_after_a_failure_unless_an_ingress_task_is_alive() {
    for (ingress, seconds) in [(false, 0), (true, 10)] {
        let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
        manager.run(worker("work")).unwrap();
        if ingress {
            manager.run(worker("server").in_phase(Phase::INGRESS)).unwrap();
        }
        manager.run(task_fn("bad", async |_| Err(anyhow!("no")))).unwrap();
        let began = Instant::now();
        manager.wait().await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_of_a_critical_task_drains_the_group_and_a_dropped_manager_does_not() {
    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    manager.run(worker("work")).unwrap();
    manager.run(task_fn("done", async |_| Ok(()))).unwrap();
    let began = Instant::now();
    manager.wait().await.unwrap();
    assert_eq!(began.elapsed(), 10 * SECOND);

    let manager = Manager::builder().drain_delay(10 * SECOND).build().unwrap();
    manager.run(worker("server").in_phase(Phase::INGRESS)).unwrap();
    let mut group = manager.group();
    let began = Instant::now();
    drop(manager);
    while group.step() < Step::Ended {
        group.changed().await;
    }
    assert_eq!(began.elapsed().as_secs(), 0);
}

/// Invariant 4.
#[tokio::test(start_paused = true)]
async fn a_task_admitted_during_the_drain_observes_it_and_is_in_the_report() {
    let manager = Manager::builder().drain_delay(2 * SECOND).build().unwrap();
    manager.run(worker("work")).unwrap();
    begin_wait(&manager);
    manager.stop();
    tokio::time::sleep(SECOND).await;
    let journal = Journal::default();
    let noted = journal.clone();
    let late = task_fn("late", async move |ctx: Context| {
        noted.note(format!("{}, {}", ctx.is_draining(), ctx.is_cancelled()));
        Ok(())
    });
    manager.run_ephemeral(late).unwrap();
    let report = manager.wait().await.unwrap();
    assert_eq!(journal.read(), ["true, false"]);
    let names: Vec<_> = report.tasks().iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["late", "work"]);
}

#[tokio::test(start_paused = true)]
async fn the_drain_delay_of_a_nested_group_applies_to_its_own_triggers_only() {
    for (own, seconds) in [(false, 0), (true, 6)] {
        let outer = named("outer");
        let inner = Manager::builder().drain_delay(6 * SECOND).build().unwrap();
        inner.run(worker("work")).unwrap();
        let handle = inner.handle();
        outer.run(inner.into_task()).unwrap();
        tokio::time::sleep(SECOND).await;
        let began = Instant::now();
        if own {
            handle.stop()
        } else {
            outer.stop()
        }
        outer.wait().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_lacks_a_drain_if_it_has_ingress_and_nobody_has_set_the_delay() {
    for (delay, phase, lacks) in [
        (None, Phase::INGRESS, true),
        (None, Phase::new(20), true),
        (None, Phase::SETUP, false),
        (None, Phase::WORK, false),
        (Some(Duration::ZERO), Phase::INGRESS, false),
        (Some(SECOND), Phase::INGRESS, false),
    ] {
        let builder = Manager::builder();
        let builder = delay.into_iter().fold(builder, ManagerBuilder::drain_delay);
        let manager = builder.build().unwrap();
        assert!(!manager.group().lacks_drain());
        manager.run(worker("server").in_phase(phase)).unwrap();
        assert_eq!(manager.group().lacks_drain(), lacks, "{delay:?} {phase:?}");
        manager.shutdown().await.unwrap();
        assert!(!manager.group().lacks_drain(), "its task has ended");
    }
    // A nested group drains as long as the outer one does.
    let (outer, inner) = (named("outer"), named("inner"));
    inner.run(worker("server").in_phase(Phase::INGRESS)).unwrap();
    let group = inner.group();
    assert!(group.lacks_drain());
    outer.run(inner.into_task()).unwrap();
    tokio::time::sleep(SECOND).await;
    assert!(!group.lacks_drain());
    outer.shutdown().await.unwrap();
}
