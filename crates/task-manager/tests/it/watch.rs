//! The events of a group for those who watch: none twice, none lost but by being slow, and the same
//! outcomes as in the report.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use task_core::{EventKind, GroupEvent, GroupEvents, Outcome, Step, TaskId, WatchedEvent};
use task_manager::{Context, Manager, Report, Task, task_fn};
use tokio::time::sleep;

use crate::support::{SECOND, worker};

/// Reads all events to the end, none of which may be lost.
async fn all(mut events: GroupEvents) -> Vec<GroupEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        let WatchedEvent::Event(event) = event else { panic!("{event:?}") };
        all.push(event);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_starts_readiness_failures_ends_and_the_steps_in_their_order() {
    let manager = Manager::builder().name("orders").build().unwrap();
    let events = manager.group().watch();
    let job = task_fn("job", async |ctx: Context| {
        ctx.set_ready(true);
        ctx.record_failure(anyhow::anyhow!("disk full"));
        Ok(())
    });
    manager.run(job.gating_readiness()).unwrap();
    manager.cleanup("pool", async || Ok(())).unwrap();
    manager.wait().await.unwrap_err();
    let events = all(events).await;
    let texts: Vec<_> = events.iter().map(|event| &*event.text).collect();
    assert_eq!(
        texts,
        [
            "task `job` started",
            "task `job` is ready",
            "ready",
            "task `job` failed and went on: disk full",
            "task `job` ended: completed",
            "shutdown begins: task `job` completed",
            "draining",
            "cleaning up",
            "cleanup `pool` ended: completed",
            "ended, not clean",
        ]
    );
    let name = || "job".into();
    let id = TaskId::new(1);
    assert_eq!(events[1].kind, EventKind::TaskReady { name: name(), id, is_ready: true });
    assert_eq!(events[3].kind, EventKind::Failed { name: name(), id: Some(id) });
    assert!(events[3].is_failure);
    let outcome = Outcome::Completed;
    assert_eq!(events[4].kind, EventKind::TaskEnded { name: name(), id, outcome });
    assert_eq!(events[7].kind, EventKind::Step(Step::CleaningUp));
    let cleaned = EventKind::CleanupEnded { name: "pool".into(), outcome: Some(outcome) };
    assert_eq!(events[8].kind, cleaned);
    assert_eq!(events[9].kind, EventKind::Ended { is_clean: false });
}

#[tokio::test(start_paused = true)]
async fn a_watcher_of_an_outer_group_sees_the_failures_of_a_nested_one_as_the_report_has_them() {
    let inner = Manager::builder().name("inner").build().unwrap();
    inner.run(task_fn("job", async |_| anyhow::bail!("disk full"))).unwrap();
    let outer = Manager::new();
    let events = outer.group().watch();
    outer.run(inner.into_task()).unwrap();
    let error = outer.wait().await.unwrap_err();
    assert_replays(&all(events).await, error.report().unwrap());
}

/// What tests wait for.
#[tokio::test(start_paused = true)]
async fn a_watcher_waits_for_what_happens_and_sees_nothing_from_before() {
    let manager = Manager::new();
    manager.run(worker("before")).unwrap();
    let mut events = manager.group().watch();
    assert_eq!(events.try_next(), None);
    manager
        .run_ephemeral(task_fn("later", async |_| {
            sleep(10 * SECOND).await;
            Ok(())
        }))
        .unwrap();
    let began = tokio::time::Instant::now();
    loop {
        let Some(WatchedEvent::Event(event)) = events.next().await else { panic!("lost") };
        if let EventKind::TaskEnded { name, .. } = event.kind {
            assert_eq!(name, "later");
            break;
        }
    }
    assert_eq!(began.elapsed(), 10 * SECOND);
    manager.shutdown().await.unwrap();
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn a_slow_watcher_learns_how_many_events_it_lost_and_has_the_last_one() {
    let manager = Manager::new();
    let mut slow = manager.group().watch();
    let fast = tokio::spawn(all(manager.group().watch()));
    for _ in 0..3_000 {
        let handle = manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
        handle.ended().await;
    }
    manager.run_ephemeral(task_fn("last", async |_| anyhow::bail!("disk full"))).unwrap();
    manager.wait().await.unwrap_err();
    let fast = fast.await.unwrap();
    let Some(WatchedEvent::Lagged(lost)) = slow.next().await else { panic!("it has lost some") };
    let rest = all(slow).await;
    assert_eq!(rest.len(), 1_024);
    assert_eq!(usize::try_from(lost).unwrap() + rest.len(), fast.len());
    assert_eq!(rest[..], fast[fast.len() - rest.len()..]);
    assert_eq!(rest.last().unwrap().kind, EventKind::Ended { is_clean: false });
}

#[tokio::test(start_paused = true)]
async fn a_group_that_has_ended_has_no_further_events_and_one_that_is_alone_has_none() {
    let manager = Manager::new();
    manager.shutdown().await.unwrap();
    assert_eq!(manager.group().watch().next().await, None);
    assert_eq!(task_core::Group::alone().watch().next().await, None);
}

/// Invariant 9.
#[tokio::test(start_paused = true)]
async fn an_error_that_is_formatted_or_dropped_for_a_watcher_may_use_the_group() {
    struct Curious(task_manager::ManagerHandle);
    impl std::fmt::Debug for Curious {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Curious")
        }
    }
    impl std::fmt::Display for Curious {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // It takes the lock.
            write!(f, "{}", self.0.group().map_or(0, |group| group.snapshot().tasks.len()))
        }
    }
    impl std::error::Error for Curious {}
    impl Drop for Curious {
        fn drop(&mut self) {
            let _ = self.0.group().map(|group| group.snapshot());
        }
    }
    let manager = Manager::new();
    let mut events = manager.group().watch();
    let handle = manager.handle();
    manager
        .run(task_fn("task", async move |ctx: Context| {
            for _ in 0..10_000 {
                ctx.record_failure(Curious(handle.clone()));
            }
            Ok(())
        }))
        .unwrap();
    manager.wait().await.unwrap_err();
    while events.next().await.is_some() {}
}

/// How a task of a random group ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Well,
    Failing,
    Panicking,
    WhenStopped,
    Never,
}

fn task(number: usize, ends: Ends, after: u64) -> impl Task {
    task_fn(format!("task-{number}"), async move |ctx: Context| {
        match ends {
            Ends::WhenStopped => ctx.cancelled().await,
            Ends::Never => std::future::pending().await,
            Ends::Well | Ends::Failing | Ends::Panicking => {
                sleep(Duration::from_millis(after)).await;
            }
        }
        match ends {
            Ends::Failing => anyhow::bail!("failed"),
            Ends::Panicking => panic!("panicked"),
            Ends::Well | Ends::WhenStopped | Ends::Never => Ok(()),
        }
    })
}

/// Asserts that the events give what the report says.
fn assert_replays(events: &[GroupEvent], report: &Report) {
    assert!(events.is_sorted_by_key(|event| event.at), "{events:?}");
    let (mut started, mut outcomes) = (Vec::new(), BTreeMap::new());
    for event in events {
        match &event.kind {
            EventKind::TaskStarted { id, .. } => started.push(*id),
            EventKind::TaskEnded { id, outcome, .. } => {
                assert!(outcomes.insert(*id, *outcome).is_none(), "twice: {event:?}");
                assert!(started.contains(id), "before its start: {event:?}");
            }
            _ => {}
        }
    }
    assert_eq!(started.len(), outcomes.len());
    assert_eq!(outcomes.len() as u64, report.totals().started);
    for task in report.tasks() {
        assert_eq!(outcomes.get(&task.id), Some(&task.outcome), "{task:?}");
    }
    let clean = outcomes.values().filter(|outcome| outcome.is_clean()).count() as u64;
    assert_eq!(clean, report.totals().completed + report.totals().cancelled);
    let failures = events.iter().filter(|event| event.is_failure);
    let mut seen: Vec<_> = failures
        .map(|event| match &event.kind {
            EventKind::Failed { name, .. } => name.to_string(),
            kind => panic!("{kind:?}"),
        })
        .collect();
    let mut reported: Vec<_> =
        report.failures().iter().map(|failure| failure.name.clone()).collect();
    seen.sort();
    reported.sort();
    assert_eq!(seen, reported);
    let cleanups = events.iter().filter_map(|event| match &event.kind {
        EventKind::CleanupEnded { name, outcome } => Some((name.to_string(), *outcome)),
        _ => None,
    });
    let cleanups: Vec<_> = cleanups.collect();
    let reported =
        report.cleanups().iter().map(|cleanup| (cleanup.name.to_string(), cleanup.outcome));
    assert_eq!(cleanups, reported.collect::<Vec<_>>());
    let is_clean = report.is_clean();
    assert_eq!(events.last().map(|event| &event.kind), Some(&EventKind::Ended { is_clean }));
}

proptest! {
    /// Invariants 1 and 2.
    #[test]
    fn replaying_the_events_gives_the_outcomes_of_the_report(
        tasks in prop::collection::vec((0..5_u8, 0..50_u64, any::<bool>()), 0..20),
        cleanups in prop::collection::vec(0..3_u8, 0..4),
        stop in prop::option::of(0..50_u64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let manager = Manager::builder().shutdown_timeout(SECOND).build().unwrap();
            let events = manager.group().watch();
            for (number, (ends, after, is_critical)) in tasks.into_iter().enumerate() {
                let ends = [Ends::Well, Ends::Failing, Ends::Panicking, Ends::WhenStopped, Ends::Never]
                    [usize::from(ends)];
                let task = task(number, ends, after);
                if is_critical { manager.run(task).unwrap(); } else { manager.run_ephemeral(task).unwrap(); }
            }
            for (number, ends) in cleanups.into_iter().enumerate() {
                manager.cleanup(format!("cleanup-{number}"), async move || match ends {
                    0 => Ok(()),
                    1 => anyhow::bail!("failed"),
                    _ => std::future::pending().await,
                }).unwrap();
            }
            let handle = manager.handle();
            if let Some(after) = stop {
                tokio::spawn(async move {
                    sleep(Duration::from_millis(after)).await;
                    handle.stop();
                });
            } else {
                tokio::spawn(async move {
                    sleep(SECOND).await;
                    handle.stop();
                });
            }
            let report = match manager.wait().await {
                Ok(report) => report,
                Err(error) => error.report().unwrap().clone(),
            };
            assert_replays(&all(events).await, &report);
        });
    }
}
