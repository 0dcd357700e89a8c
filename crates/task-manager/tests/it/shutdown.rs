//! The shutdown sequence: trigger, drain, phases, deadlines.

use std::{
    pin::pin,
    task::{self, Waker},
    time::Duration,
};

use task_manager::{
    Activity, Context, FailureKind, Manager, Outcome, Phase, Task, Timeout, task_fn,
};
use tokio::time::Instant;

use crate::support::{Journal, KeptHolds, SECOND, begin_wait, slow, unresponsive, worker};

#[tokio::test(start_paused = true)]
async fn phases_stop_in_order_and_each_waits_for_the_one_before() {
    let manager = Manager::new();
    let journal = Journal::default();
    manager.run(slow("probes", SECOND, &journal).in_phase(Phase::SUPPORT)).unwrap();
    manager.run(slow("server", SECOND, &journal).in_phase(Phase::INGRESS)).unwrap();
    manager.run(slow("work-a", SECOND, &journal)).unwrap();
    manager.run(slow("work-b", 2 * SECOND, &journal)).unwrap();
    let began = Instant::now();
    manager.shutdown().await.unwrap();
    let notes = journal.read();
    let position = |what: &str| notes.iter().position(|note| note == what).unwrap();
    assert!(position("server ended") < position("work-a stopping"));
    assert!(position("work-b ended") < position("probes stopping"));
    assert!(position("work-b stopping") < position("work-a ended"), "one phase stops concurrently");
    assert_eq!(began.elapsed().as_secs(), 4);
}

/// Invariant 4. FAILURES 32.
#[tokio::test(start_paused = true)]
async fn tasks_are_admitted_while_draining_and_refused_once_their_phase_is_stopped() {
    let manager = Manager::builder().drain_delay(2 * SECOND).build().unwrap();
    manager.run(slow("work", 3 * SECOND, &Journal::default())).unwrap();
    begin_wait(&manager);
    manager.stop();
    tokio::time::sleep(SECOND).await;
    let late = manager.run(worker("late")).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    let refused = manager.run(worker("too late")).unwrap_err();
    assert!(refused.is_too_late());
    assert_eq!(refused.to_string(), "`too late` was refused");
    assert_eq!(refused.reason().to_string(), "the manager is stopping");
    let support = manager.run(worker("probe").in_phase(Phase::SUPPORT)).unwrap();
    manager.wait().await.unwrap();
    assert_eq!(late.outcome(), Some(Outcome::Completed));
    assert_eq!(support.outcome(), Some(Outcome::Completed));
    let after = manager.run(refused.into_inner()).unwrap_err();
    assert_eq!(after.reason().to_string(), "the manager has ended");
}

/// FAILURES 17.
#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_cancellation_is_aborted_at_its_deadline_and_named() {
    let manager = Manager::new();
    let task = manager.run(unresponsive("unresponsive")).unwrap();
    let began = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `unresponsive` was aborted at its deadline (phase WORK had 24.75 s)"
    );
    assert_eq!(task.outcome(), Some(Outcome::Aborted));
    // 25 s in all, less 250 ms until the abandonment.
    assert_eq!(began.elapsed(), Duration::from_millis(24_750));
}

/// Invariant 7.
#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_dropped_is_abandoned_and_named_with_its_status() {
    let manager = Manager::new();
    let (release, held) = tokio::sync::oneshot::channel::<()>();
    let task = manager
        .run(task_fn("stuck", async |ctx| {
            ctx.set_status("waiting for a broker");
            let hold = ctx.hold();
            tokio::spawn(async move {
                let _ = held.await;
                drop(hold);
            });
            std::future::pending().await
        }))
        .unwrap();
    let began = Instant::now();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(began.elapsed(), 25 * SECOND);
    assert_eq!(task.outcome(), Some(Outcome::Abandoned));
    assert_eq!(
        error.to_string(),
        "task `stuck` was abandoned with a hold on it still kept (phase WORK had 24.75 s; waiting \
         for a broker)"
    );
    let FailureKind::Abandoned { activity, after_abort, .. } = error.root().unwrap().kind else {
        panic!("{error:?}")
    };
    assert_eq!((activity, after_abort), (Activity::Held, SECOND / 4));
    assert_eq!(manager.group().snapshot().tasks.len(), 1, "still shown");
    release.send(()).unwrap();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(manager.group().snapshot().tasks.len(), 0);
    assert_eq!(task.outcome(), Some(Outcome::Abandoned), "the first outcome counts");
}

#[tokio::test(start_paused = true)]
async fn the_deadlines_of_earlier_phases_leave_time_for_later_ones() {
    let manager = Manager::new();
    manager.run(unresponsive("server").in_phase(Phase::INGRESS)).unwrap();
    manager.run(unresponsive("work")).unwrap();
    manager.run(unresponsive("probes").in_phase(Phase::SUPPORT)).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let at: Vec<_> =
        report.tasks().iter().map(|task| (&*task.name, task.ended_at.as_millis())).collect();
    assert_eq!(at, [("server", 7_750), ("work", 23_750), ("probes", 24_750)]);
}

/// Invariant 3. Behind the last phase there is the last deadline, and what is left until then, but
/// at least the time to be dropped.
#[tokio::test(start_paused = true)]
async fn a_phase_that_first_appears_during_the_shutdown_moves_no_deadline() {
    let manager = Manager::new();
    manager.run(unresponsive("work")).unwrap();
    manager.stop();
    let late = async {
        // After the last "still waiting" event before the deadline, which would apply the change
        // too.
        tokio::time::sleep(16 * SECOND).await;
        manager.run(unresponsive("late").in_phase(Phase::new(150))).unwrap();
    };
    let (result, ()) = tokio::join!(manager.wait(), late);
    let error = result.unwrap_err();
    let tasks = error.report().unwrap().tasks().iter();
    let at: Vec<_> = tasks.map(|task| (&*task.name, task.ended_at.as_millis())).collect();
    assert_eq!(at, [("work", 24_750), ("late", 24_875)]);
}

#[tokio::test(start_paused = true)]
async fn a_phase_that_first_appears_during_the_shutdown_leaves_the_next_one_its_time() {
    let builder = Manager::builder().shutdown_timeout(26 * SECOND).drain_delay(SECOND);
    let manager = builder.build().unwrap();
    for (name, phase) in [("server", 50), ("work", 100), ("probes", 200)] {
        manager.run(worker(name).in_phase(Phase::new(phase))).unwrap();
    }
    begin_wait(&manager);
    manager.stop();
    for (name, phase) in [("early", 25), ("late a", 75), ("late b", 150), ("late c", 250)] {
        manager.run(worker(name).in_phase(Phase::new(phase))).unwrap();
    }
    let snapshot = manager.group().snapshot();
    let remaining = snapshot.tasks.iter().map(|task| (&*task.name, task.remaining));
    let millis = |millis| Some(Duration::from_millis(millis));
    let expected = [
        ("server", millis(8_750)),
        ("work", millis(24_750)),
        ("probes", millis(25_750)),
        // A third of what the first one has, and until the next one's time begins.
        ("early", Some(9 * SECOND - 8 * SECOND / 3 * 2)),
        ("late a", millis(9_000)),
        ("late b", millis(25_000)),
        ("late c", millis(25_750)),
    ];
    assert_eq!(remaining.collect::<Vec<_>>(), expected);
    manager.wait().await.unwrap();

    let manager = Manager::new();
    manager.run(unresponsive("work")).unwrap();
    let probes =
        manager.run(slow("probes", SECOND / 2, &Journal::default()).in_phase(Phase::SUPPORT));
    manager.stop();
    manager.run(unresponsive("late").in_phase(Phase::new(150))).unwrap();
    manager.wait().await.unwrap_err();
    assert_eq!(probes.unwrap().outcome(), Some(Outcome::Completed), "it had half a second");
}

#[tokio::test(start_paused = true)]
async fn a_phase_that_first_appears_during_the_shutdown_leaves_earlier_ones_time_to_end() {
    let kept = KeptHolds::default();
    let keeping = kept.clone();
    let manager = Manager::builder()
        .shutdown_timeout(12 * SECOND)
        .cleanup_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let held = task_fn("held", async move |ctx: Context| {
        keeping.keep(&ctx);
        Ok(())
    });
    manager.run_ephemeral(held.in_phase(Phase::INGRESS)).unwrap();
    let work = manager.run(worker("work")).unwrap();
    manager.stop();
    // The first phase was aborted after 3.75 s, and is abandoned after 4 s.
    tokio::time::sleep(Duration::from_millis(3_900)).await;
    let late = manager.run(worker("late").in_phase(Phase::new(150))).unwrap();
    manager.wait().await.unwrap_err();
    assert_eq!(
        (work.outcome(), late.outcome()),
        (Some(Outcome::Completed), Some(Outcome::Completed))
    );
}

#[tokio::test(start_paused = true)]
async fn remaining_is_the_time_until_the_deadline_of_the_task() {
    let manager = Manager::new();
    manager
        .run(task_fn("work", async |ctx: Context| {
            assert_eq!(ctx.remaining(), None);
            ctx.cancelled().await;
            assert_eq!(ctx.remaining(), Some(Duration::from_millis(24_750)));
            tokio::time::sleep(SECOND).await;
            assert_eq!(ctx.remaining(), Some(Duration::from_millis(23_750)));
            Ok(())
        }))
        .unwrap();
    tokio::task::yield_now().await;
    manager.shutdown().await.unwrap();
}

/// FAILURES 41.
#[tokio::test(start_paused = true)]
async fn without_a_shutdown_timeout_no_task_is_aborted() {
    let manager = Manager::builder().shutdown_timeout(Timeout::Never).build().unwrap();
    let journal = Journal::default();
    manager.run(slow("slow", 100_000 * SECOND, &journal)).unwrap();
    manager.shutdown().await.unwrap();
    assert_eq!(journal.read().last().unwrap(), "slow ended");
}

/// FAILURES 41.
#[tokio::test(start_paused = true)]
async fn a_task_is_polled_once_even_if_it_is_aborted_before() {
    let manager = Manager::new();
    let journal = Journal::default();
    let noted = journal.clone();
    manager
        .run(task_fn("first", async move |ctx: Context| {
            noted.note("polled");
            ctx.request_stop("now");
            // The deadline passes before another task is polled, and the next event observes it.
            let mut advance = pin!(tokio::time::advance(100 * SECOND));
            let _ = advance.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
            ctx.request_stop("again");
            Ok(())
        }))
        .unwrap();
    let late = manager.run(task_fn("aborted before its first poll", {
        let journal = journal.clone();
        async move |_| {
            journal.note("polled too");
            std::future::pending().await
        }
    }));
    manager.wait().await.unwrap_err();
    assert_eq!(journal.read(), ["polled", "polled too"]);
    assert_eq!(late.unwrap().outcome(), Some(Outcome::Aborted), "after its one poll");
}

#[tokio::test(start_paused = true)]
async fn one_task_can_be_stopped_alone() {
    let manager = Manager::new();
    let one = manager.run_ephemeral(worker("one")).unwrap();
    let other = manager.run_ephemeral(worker("other")).unwrap();
    one.stop();
    assert_eq!(one.ended().await, Outcome::Completed);
    assert_eq!(other.outcome(), None);
    manager.shutdown().await.unwrap();
}

/// Invariant 11. FAILURES 29.
#[tokio::test(start_paused = true)]
async fn a_dropped_manager_stops_its_tasks_and_runs_its_cleanups() {
    let manager = Manager::new();
    let journal = Journal::default();
    let noted = journal.clone();
    let task = manager.run(worker("work")).unwrap();
    manager
        .cleanup("late", async move || {
            noted.note("cleaned");
            Ok(())
        })
        .unwrap();
    let mut group = manager.group();
    drop(manager);
    assert_eq!(task.ended().await, Outcome::Completed);
    while group.step() != task_manager::Step::Ended {
        group.changed().await;
    }
    assert_eq!(journal.read(), ["cleaned"]);
}

/// Invariant 3. FAILURES 46.
#[tokio::test(start_paused = true)]
async fn drain_stop_and_cleanups_together_stay_within_the_shutdown_timeout() {
    for drain in [0, 3, 9] {
        let manager = Manager::builder()
            .shutdown_timeout(15 * SECOND)
            .drain_delay(drain * SECOND)
            .cleanup_timeout(5 * SECOND)
            .build()
            .unwrap();
        for phase in [0, 100, 150, 200] {
            manager.run(unresponsive("unresponsive").in_phase(Phase::new(phase))).unwrap();
        }
        for _ in 0..3 {
            manager.cleanup("hangs", async || std::future::pending().await).unwrap();
        }
        let began = Instant::now();
        let error = manager.shutdown().await.unwrap_err();
        assert!(began.elapsed() <= 15 * SECOND, "{:?}", began.elapsed());
        assert_eq!(error.report().unwrap().failures().len(), 7);
    }
}

/// FAILURES 43.
#[tokio::test(start_paused = true)]
async fn a_task_stopped_before_its_first_poll_is_still_polled() {
    let manager = Manager::new();
    let journal = Journal::default();
    let noted = journal.clone();
    let task = manager
        .run(task_fn("late", async move |ctx: Context| {
            noted.note(format!("polled, cancelled: {}", ctx.is_cancelled()));
            Ok(())
        }))
        .unwrap();
    manager.stop();
    manager.wait().await.unwrap();
    assert_eq!(journal.read(), ["polled, cancelled: true"]);
    assert_eq!(task.outcome(), Some(Outcome::Completed));
}

/// Invariant 4.
#[tokio::test(start_paused = true)]
async fn phases_before_the_one_that_is_stopped_are_closed_to_admission() {
    let manager = Manager::new();
    manager.run(slow("work", SECOND, &Journal::default())).unwrap();
    manager.stop();
    tokio::task::yield_now().await;
    let refused = manager.run(worker("server").in_phase(Phase::INGRESS)).unwrap_err();
    assert!(refused.is_too_late());
    manager.run(worker("batcher").in_phase(Phase::new(101))).unwrap();
    manager.wait().await.unwrap();
}
