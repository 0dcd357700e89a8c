//! The read-only view of a group, for metrics and tables of tasks.

use std::time::{Duration, SystemTime};

use task_manager::{
    CleanupState, Context, Group, GroupSnapshot, Manager, Outcome, Phase, Step, StopDeadline, Task,
    TaskState, task_fn,
};

use crate::support::{Journal, SECOND, begin_wait, slow, unresponsive, worker};

fn ended(snapshot: &GroupSnapshot) -> Vec<(String, Outcome, Option<u64>)> {
    let shutdown = snapshot.shutdown.as_ref().unwrap();
    let seconds = |took: Duration| took.as_secs();
    let tasks = shutdown.ended.iter();
    tasks.map(|task| (task.name.to_string(), task.outcome, task.stop_took.map(seconds))).collect()
}

fn exits(snapshot: &GroupSnapshot) -> Vec<(Option<&str>, Outcome, u64)> {
    let pairs = snapshot.exits.iter().flat_map(|exits| {
        Outcome::ALL.map(|outcome| (exits.name.as_deref(), outcome, exits.of(outcome)))
    });
    pairs.filter(|(_, _, count)| *count > 0).collect()
}

#[tokio::test(start_paused = true)]
async fn the_view_shows_during_a_shutdown_what_the_report_has_after_it() {
    let journal = Journal::default();
    let manager = Manager::builder().shutdown_timeout(20 * SECOND).build().unwrap();
    manager.cleanup("first", async || Ok(())).unwrap();
    manager
        .cleanup("second", async || {
            tokio::time::sleep(SECOND).await;
            Err(anyhow::anyhow!("broken"))
        })
        .unwrap();
    manager.run(slow("server", 2 * SECOND, &journal).in_phase(Phase::INGRESS)).unwrap();
    manager.run(worker("work")).unwrap();
    manager.run(unresponsive("unresponsive")).unwrap();
    let group = manager.group();
    let before = group.snapshot();
    assert!(before.shutdown.is_none() && before.tasks.iter().all(|task| task.remaining.is_none()));
    let states = |snapshot: &GroupSnapshot| -> Vec<_> {
        let cleanups = snapshot.cleanups.iter();
        cleanups.map(|cleanup| (cleanup.name.to_string(), cleanup.state)).collect()
    };
    let waiting = CleanupState::Waiting;
    assert_eq!(states(&before), [("second".into(), waiting), ("first".into(), waiting)]);

    tokio::time::sleep(3 * SECOND).await;
    let wall = SystemTime::now();
    manager.stop();
    tokio::time::sleep(5 * SECOND).await;
    let during = group.snapshot();
    assert_eq!(during.uptime.as_secs(), 8);
    let shutdown = during.shutdown.as_ref().unwrap();
    assert!(shutdown.began >= wall && shutdown.began <= SystemTime::now());
    assert_eq!((shutdown.began_at.as_secs(), shutdown.took.as_secs()), (3, 5));
    assert_eq!(shutdown.budget, Some(20 * SECOND));
    assert_eq!(
        ended(&during),
        [
            ("server".into(), Outcome::Completed, Some(2)),
            ("work".into(), Outcome::Completed, Some(0))
        ]
    );
    let [unresponsive] = &during.tasks[..] else { panic!("{:?}", during.tasks) };
    assert_eq!(unresponsive.state, TaskState::Stopping);
    // 20 s in all, less 5 s for cleanups, 250 ms until the abandonment, and the 5 s that have
    // passed.
    let left = unresponsive.remaining.unwrap();
    assert!(
        left > Duration::from_millis(9_700) && left <= Duration::from_millis(9_750),
        "{left:?}"
    );

    tokio::time::sleep(left + SECOND / 2).await;
    let cleaning = group.snapshot();
    assert_eq!(cleaning.step, Step::CleaningUp);
    assert_eq!(
        states(&cleaning),
        [("second".into(), CleanupState::Running), ("first".into(), waiting)]
    );
    assert!(cleaning.cleanups[0].took >= SECOND / 4);

    let report = manager.wait().await.unwrap_err().report().unwrap().clone();
    tokio::time::sleep(SECOND).await;
    let after = group.snapshot();
    assert_eq!(
        states(&after),
        [
            ("second".into(), CleanupState::Ended(Outcome::Failed)),
            ("first".into(), CleanupState::Ended(Outcome::Completed))
        ]
    );
    let shutdown = after.shutdown.as_ref().unwrap();
    assert_eq!(
        shutdown.took,
        report.steps().ended - report.steps().triggered,
        "it does not grow after the end"
    );
    assert_eq!(shutdown.began, report.began());
    assert_eq!(ended(&after).last().unwrap(), &("unresponsive".into(), Outcome::Aborted, Some(12)));
    assert_eq!(ended(&after).len(), report.tasks().len());
    assert_eq!(
        exits(&after),
        [
            (Some("server"), Outcome::Completed, 1),
            (Some("work"), Outcome::Completed, 1),
            (Some("unresponsive"), Outcome::Aborted, 1)
        ]
    );
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn the_task_that_triggered_the_shutdown_is_listed_and_earlier_clean_ends_are_not() {
    let manager = Manager::new();
    manager.run_ephemeral(task_fn("early", async |_| Ok(()))).unwrap().ended().await;
    manager.run(task_fn("culprit", async |_| Ok(()))).unwrap();
    let report = manager.wait().await.unwrap();
    let names: Vec<_> = report.tasks().iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["culprit"]);
    let snapshot = manager.group().snapshot();
    assert_eq!(ended(&snapshot), [("culprit".into(), Outcome::Completed, None)]);
    assert_eq!(snapshot.exits.len(), 2, "all ends are counted by name");
}

/// Invariant 10. FAILURES 74.
#[tokio::test(start_paused = true)]
async fn ends_are_counted_by_name_for_two_hundred_names_and_the_rest_together() {
    let manager = Manager::builder().only_failures_stop().build().unwrap();
    manager.run(worker("service")).unwrap();
    for number in 0..180 {
        let name = format!("job {number}");
        manager.run_ephemeral(task_fn(name, async |_| Ok(()))).unwrap().ended().await;
    }
    for number in 0..60 {
        let name = format!("critical {number}");
        manager.run(task_fn(name, async |_| Ok(()))).unwrap().ended().await;
    }
    for _ in 0..3 {
        let name = String::from("job 7");
        manager.run_ephemeral(task_fn(name, async |_| Ok(()))).unwrap().ended().await;
    }
    let snapshot = manager.group().snapshot();
    assert_eq!(snapshot.exits.len(), 201);
    let of = |name: Option<&str>| {
        let mut exits = snapshot.exits.iter();
        exits.find(|exits| exits.name.as_deref() == name).map(|exits| exits.total())
    };
    assert_eq!(of(Some("job 7")), Some(4));
    assert_eq!((of(Some("job 149")), of(Some("job 150"))), (Some(1), None));
    assert_eq!((of(Some("critical 49")), of(Some("critical 50"))), (Some(1), None));
    assert_eq!(of(None), Some(30 + 10));
    assert!(snapshot.exits.last().unwrap().name.is_none());
    manager.shutdown().await.unwrap();
}

/// Invariant 7.
#[tokio::test(start_paused = true)]
async fn ephemeral_tasks_are_marked_and_an_abandoned_task_is_shown_until_its_end() {
    let manager = Manager::new();
    manager.run_ephemeral(worker("job")).unwrap();
    let held = async |ctx: Context| {
        let hold = ctx.hold();
        tokio::spawn(async move {
            tokio::time::sleep(60 * SECOND).await;
            drop(hold);
        });
        Ok(())
    };
    manager.run(task_fn("held", held)).unwrap();
    let (group, journal) = (manager.group(), Journal::default());
    let shown = move || {
        let tasks = group.snapshot().tasks;
        tasks
            .iter()
            .map(|task| format!("{} {} {:?}", task.name, task.is_ephemeral, task.state))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(shown(), "job true Running, held false Running");
    let noted = journal.clone();
    manager
        .cleanup("look", async move || {
            noted.note(shown());
            Ok(())
        })
        .unwrap();
    tokio::task::yield_now().await;
    manager.shutdown().await.unwrap_err();
    assert_eq!(journal.read(), ["held false Abandoned"]);
    assert_eq!(manager.group().snapshot().tasks.len(), 1, "it is still alive");
    tokio::time::sleep(60 * SECOND).await;
    assert!(manager.group().snapshot().tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn signals_are_counted_by_name_and_of_two_counts_the_higher_one_is_shown() {
    let manager = Manager::new();
    let counting = async |ctx: Context| {
        ctx.record_signal("SIGHUP", 2);
        ctx.record_signal("SIGHUP", 1);
        ctx.record_signal("SIGTERM", 1);
        for number in 0..100 {
            ctx.record_signal(format!("signal {number}"), 1);
        }
        Ok(())
    };
    manager.run_ephemeral(task_fn("signals", counting)).unwrap().ended().await;
    let signals = manager.group().snapshot().signals;
    let counts: Vec<_> = signals.iter().map(|signal| (&*signal.name, signal.count)).collect();
    assert_eq!(counts[..3], [("SIGHUP", 2), ("SIGTERM", 1), ("signal 0", 1)]);
    assert_eq!(counts.len(), 64);
}

#[tokio::test(start_paused = true)]
async fn the_handle_of_an_ended_task_shows_its_end_and_no_deadline() {
    let manager = Manager::new();
    let task = manager.run_ephemeral(worker("job")).unwrap();
    assert_eq!((&*task.name(), task.info().state), ("job", TaskState::Running));
    tokio::task::yield_now().await;
    task.stop();
    assert_eq!(task.info().state, TaskState::Stopping);
    task.ended().await;
    assert_eq!(task.info().state, TaskState::Ended);
    manager.run(unresponsive("unresponsive")).unwrap();
    manager.shutdown().await.unwrap_err();
    assert_eq!((task.info().state, task.info().remaining), (TaskState::Ended, None));
}

#[tokio::test(start_paused = true)]
async fn the_registration_of_a_cleanup_is_a_change_of_the_group() {
    let manager = Manager::new();
    let mut group = manager.group();
    let listed = tokio::spawn(async move {
        group.changed().await;
        group.snapshot().cleanups.len()
    });
    tokio::task::yield_now().await;
    manager.cleanup("close", async || Ok(())).unwrap();
    let listed = tokio::time::timeout(SECOND, listed).await;
    assert_eq!(listed.expect("a change").unwrap(), 1);
    manager.shutdown().await.unwrap();
}

/// Invariant 3.
#[tokio::test(start_paused = true)]
async fn an_outer_deadline_that_shortens_a_shutdown_is_a_change_of_the_nested_group() {
    let outer =
        Manager::builder().shutdown_timeout(20 * SECOND).drain_delay(9 * SECOND).build().unwrap();
    let inner =
        Manager::builder().shutdown_timeout(60 * SECOND).drain_delay(30 * SECOND).build().unwrap();
    inner.run(worker("work")).unwrap();
    let mut group = inner.group();
    let budget = |snapshot: GroupSnapshot| snapshot.shutdown.and_then(|shutdown| shutdown.budget);
    begin_wait(&inner);
    inner.stop();
    outer.run(inner.into_task()).unwrap();
    begin_wait(&outer);
    tokio::time::sleep(SECOND).await;
    group.changed().await;
    assert_eq!(budget(group.snapshot()), Some(60 * SECOND));
    outer.stop();
    while budget(group.snapshot()) == Some(60 * SECOND) {
        tokio::time::timeout(SECOND, group.changed()).await.expect("a change");
    }
    assert_eq!(group.step(), Step::Draining);
    // The 20 s of the outer group, and the second before.
    assert!(budget(group.snapshot()).unwrap() < 21 * SECOND);
    outer.wait().await.unwrap();
}

fn texts(group: &Group) -> Vec<(u64, bool, String)> {
    let events = group.events().into_iter();
    events.map(|event| (event.at.as_secs(), event.is_failure, event.text)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_events_are_those_of_a_life_in_order_with_its_failures() {
    let manager = Manager::builder().shutdown_timeout(20 * SECOND).build().unwrap();
    let consumer = task_fn("consu\nmer", async |ctx: Context| {
        tokio::time::sleep(SECOND).await;
        ctx.set_ready(true);
        tokio::time::sleep(SECOND).await;
        ctx.set_ready(false);
        ctx.record_failure(anyhow::anyhow!("no broker"));
        tokio::time::sleep(SECOND).await;
        ctx.set_ready(true);
        ctx.cancelled().await;
        Ok(())
    });
    manager.run(consumer.gating_readiness()).unwrap();
    manager.run(unresponsive("stuck").stopping_within(4 * SECOND)).unwrap();
    manager.cleanup("database", async || Ok(())).unwrap();
    let group = manager.group();
    assert!(texts(&group).is_empty());
    begin_wait(&manager);
    tokio::time::sleep(5 * SECOND).await;
    manager.stop();
    manager.wait().await.unwrap_err();
    let expected = [
        (1, false, r"task `consu\nmer` is ready"),
        (1, false, "ready"),
        (2, false, r"task `consu\nmer` is not ready"),
        (2, true, r"task `consu\nmer` failed and went on: no broker"),
        (3, false, r"task `consu\nmer` is ready"),
        (5, false, "shutdown begins: stop was called"),
        (5, false, "draining"),
        (5, false, "stopping"),
        (9, false, "deadline passed, aborting stuck"),
        (9, true, "task `stuck` was aborted at its deadline (its stop timeout of 4.00 s)"),
        (9, false, "cleaning up"),
        (9, false, "ended, not clean"),
    ];
    let found = texts(&group);
    let found: Vec<_> = found.iter().map(|(at, failed, text)| (*at, *failed, &**text)).collect();
    assert_eq!(found, expected);
}

/// Invariant 10.
#[tokio::test(start_paused = true)]
async fn the_events_and_their_texts_are_bounded() {
    let manager = Manager::new();
    let flapping = task_fn("flapping", async |ctx: Context| {
        for number in 0..1_000 {
            ctx.set_ready(number % 2 == 0);
            ctx.record_failure(anyhow::anyhow!("{number:05}{}", "\u{e9}".repeat(10_000)));
        }
        ctx.cancelled().await;
        Ok(())
    });
    manager.run(flapping.gating_readiness()).unwrap();
    tokio::time::sleep(SECOND).await;
    let events = manager.group().events();
    let failures: Vec<_> = events.iter().filter(|event| event.is_failure).collect();
    assert_eq!((events.len() - failures.len(), failures.len()), (64, 32));
    assert!(failures[31].text.contains("00999"), "the last are shown");
    assert!(events.iter().all(|event| event.text.len() <= 1024));
    assert!(failures[0].text.ends_with("\u{e9}..."), "{}", failures[0].text);
    manager.shutdown().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_task_shows_its_deadline_and_the_groups_that_it_runs() {
    let manager = Manager::builder()
        .shutdown_timeout(20 * SECOND)
        .phase_timeout(Phase::INGRESS, SECOND)
        .build()
        .unwrap();
    let nested = Manager::builder().name("inner").build().unwrap();
    nested.run(unresponsive("leaf")).unwrap();
    manager
        .cleanup("slow", async || {
            tokio::time::sleep(SECOND).await;
            Ok(())
        })
        .unwrap();
    manager.run(nested.into_task()).unwrap();
    manager.run(unresponsive("own").stopping_within(2 * SECOND)).unwrap();
    manager.run(unresponsive("server").in_phase(Phase::INGRESS)).unwrap();
    let group = manager.group();
    tokio::time::sleep(SECOND).await;
    let before = group.snapshot();
    let inner = before.tasks.iter().find(|task| task.name == "inner").unwrap();
    let inside = inner.groups[0].snapshot();
    assert_eq!((&*inside.name, &*inside.tasks[0].name), ("inner", "leaf"));
    assert!(before.tasks.iter().all(|task| task.name == "inner" || task.groups.is_empty()));
    assert!(before.tasks.iter().all(|task| task.deadline.is_none()));

    manager.stop();
    let deadline = |snapshot: &GroupSnapshot, name: &str| {
        let task = snapshot.tasks.iter().find(|task| task.name == name).unwrap();
        (task.deadline, task.remaining.is_some())
    };
    tokio::time::sleep(SECOND / 2).await;
    let during = group.snapshot();
    assert_eq!(deadline(&during, "server"), (Some(StopDeadline::PhaseTimeout), true));
    assert_eq!(deadline(&during, "inner"), (Some(StopDeadline::Phase), true));
    tokio::time::sleep(SECOND).await;
    assert_eq!(deadline(&group.snapshot(), "own"), (Some(StopDeadline::StopTimeout), true));
    while group.step() < Step::CleaningUp {
        tokio::time::sleep(SECOND / 10).await;
    }
    let cleanup = &group.snapshot().cleanups[0];
    assert!(cleanup.remaining.is_some_and(|left| left > SECOND), "{cleanup:?}");
    manager.wait().await.unwrap_err();
    assert_eq!(group.snapshot().cleanups[0].remaining, None);
}
