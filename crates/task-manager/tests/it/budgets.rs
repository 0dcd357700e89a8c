//! Who has how much of the time: of a small total, under limits of a phase and of a task, and when
//! those before have taken it.

use std::time::Duration;

use task_manager::{
    Context, DeadlineKind, Failure, FailureKind, Manager, Outcome, Phase, Report, Task, TaskHandle,
    task_fn,
};
use tokio::time::Instant;

use crate::support::{Journal, KeptHolds, SECOND, begin_wait, slow, unresponsive, worker};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ends itself only when every hold is released.
fn held(name: &'static str, kept: &KeptHolds) -> impl Task {
    let kept = kept.clone();
    task_fn(name, async move |ctx: Context| {
        kept.keep(&ctx);
        Ok(())
    })
}

fn deadline(failure: &Failure) -> (DeadlineKind, Duration) {
    match &failure.kind {
        FailureKind::Aborted { deadline } => (deadline.kind.clone(), deadline.had),
        FailureKind::Abandoned { deadline: Some(deadline), .. } => {
            (deadline.kind.clone(), deadline.had)
        }
        other => panic!("{other:?}"),
    }
}

fn ended_at(report: &Report) -> Vec<(&str, u128)> {
    let after = |at: Duration| (at - report.steps().triggered).as_millis();
    report.tasks().iter().map(|task| (&*task.name, after(task.ended_at))).collect()
}

/// Ten seconds is what Docker and Cloud Run grant, five Nomad and Fly.
#[tokio::test(start_paused = true)]
async fn of_a_small_total_a_worker_has_nine_tenths_whatever_it_stands_beside() {
    for (total, with_signals, with_cleanup) in [
        (100, 95, 72),
        (1_000, 950, 713),
        (5_000, 4_750, 3_563),
        (10_000, 9_750, 7_250),
        (25_000, 24_750, 19_750),
    ] {
        for (has_cleanup, left) in [(false, with_signals), (true, with_cleanup)] {
            let manager = Manager::builder().shutdown_timeout(millis(total)).build().unwrap();
            if has_cleanup {
                manager.cleanup("close", async || Ok(())).unwrap();
            }
            manager.run(unresponsive("work")).unwrap();
            let error = manager.shutdown().await.unwrap_err();
            let took = ended_at(error.report().unwrap())[0].1;
            assert!(took.abs_diff(left) <= 1, "{took} of {total} ms, for cleanups: {has_cleanup}");
        }
    }
    // Two tasks that only support it, and have a short limit, take next to nothing.
    let manager = Manager::builder().shutdown_timeout(10 * SECOND).build().unwrap();
    for name in ["signals", "more signals"] {
        let support = worker(name).in_phase(Phase::SUPPORT);
        manager.run(support.stopping_within(SECOND / 10)).unwrap();
    }
    manager.run(unresponsive("work")).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    assert_eq!(ended_at(error.report().unwrap())[0], ("work", 9_400));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_server_leaves_the_worker_the_larger_part() {
    let manager = Manager::new();
    manager.run(unresponsive("server").in_phase(Phase::INGRESS)).unwrap();
    manager.run(slow("work", 16 * SECOND, &Journal::default())).unwrap();
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(ended_at(report), [("server", 8_084), ("work", 24_084)], "{report}");
    assert_eq!(report.tasks()[1].outcome, Outcome::Completed);
}

/// Invariant 3.
#[tokio::test(start_paused = true)]
async fn a_limit_of_a_phase_aborts_its_tasks_and_leaves_the_rest_to_the_others() {
    for (limit, server) in [(2 * SECOND, 2_000), (60 * SECOND, 8_084)] {
        let builder = Manager::builder().phase_timeout(Phase::INGRESS, limit);
        let manager = builder.phase_timeout(Phase::SUPPORT, SECOND).build().unwrap();
        manager.run(unresponsive("server").in_phase(Phase::INGRESS)).unwrap();
        manager.run(unresponsive("work")).unwrap();
        let error = manager.shutdown().await.unwrap_err();
        let report = error.report().unwrap();
        assert_eq!(ended_at(report), [("server", server), ("work", 24_750)], "{report}");
        let limited = deadline(&report.failures()[0]);
        if limit < 8 * SECOND {
            assert_eq!(limited, (DeadlineKind::PhaseTimeout(Phase::INGRESS), limit));
        } else {
            assert_eq!(limited.0, DeadlineKind::Phase(Phase::INGRESS));
        }
    }
}

/// Invariants 3 and 7.
#[tokio::test(start_paused = true)]
async fn a_stop_timeout_aborts_and_abandons_that_task_alone() {
    let (manager, kept) = (Manager::new(), KeptHolds::default());
    manager.run_ephemeral(held("held", &kept).stopping_within(SECOND)).unwrap();
    manager.run(unresponsive("hangs").stopping_within(2 * SECOND)).unwrap();
    manager.run(slow("work", 10 * SECOND, &Journal::default())).unwrap();
    let ends = task_fn("ends", async |ctx: Context| {
        ctx.cancelled().await;
        assert_eq!(ctx.remaining(), Some(3 * SECOND));
        Ok(())
    });
    manager.run(ends.stopping_within(3 * SECOND)).unwrap();
    tokio::task::yield_now().await;
    let error = manager.shutdown().await.unwrap_err();
    let report = error.report().unwrap();
    let expected = [("ends", 0), ("held", 1_250), ("hangs", 2_000), ("work", 10_000)];
    assert_eq!(ended_at(report), expected, "{report}");
    let outcomes: Vec<_> = report.tasks().iter().map(|task| task.outcome).collect();
    use Outcome::{Abandoned, Aborted, Completed};
    assert_eq!(outcomes, [Completed, Abandoned, Aborted, Completed]);
    assert_eq!(
        report.failures()[0].to_string(),
        "task `held` was abandoned with a hold on it still kept (its stop timeout of 1.00 s)"
    );
    assert_eq!(deadline(&report.failures()[1]), (DeadlineKind::StopTimeout, 2 * SECOND));
    kept.release();
}

/// Invariants 1 and 7.
#[tokio::test(start_paused = true)]
async fn a_task_stopped_alone_is_aborted_at_its_stop_timeout_and_abandoned_if_it_must() {
    let (manager, kept) = (Manager::new(), KeptHolds::default());
    manager.run(worker("work")).unwrap();
    let run = |task: TaskHandle| {
        task.stop();
        task
    };
    let began = Instant::now();
    let clean = run(manager.run_ephemeral(worker("clean").stopping_within(SECOND)).unwrap());
    assert_eq!(clean.ended().await, Outcome::Completed);
    // Its limit is forgotten, though another task has its place by now.
    let other = manager.run_ephemeral(worker("other")).unwrap();
    let hangs = run(manager.run_ephemeral(held("hangs", &kept).stopping_within(SECOND)).unwrap());
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(hangs.info().remaining, Some(SECOND / 2));
    hangs.stop();
    assert_eq!(hangs.ended().await, Outcome::Abandoned);
    assert_eq!(began.elapsed(), millis(1_250));
    // Like any failure, it stops the group.
    let error = manager.wait().await.unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.cause().to_string(), "task `hangs` abandoned");
    assert_eq!((report.failures().len(), report.totals().abandoned), (1, 1), "{report}");
    assert_eq!(other.outcome(), Some(Outcome::Completed));
    kept.release();

    let manager = Manager::new();
    manager.run(worker("work")).unwrap();
    let hangs = run(manager.run(unresponsive("hangs").stopping_within(SECOND)).unwrap());
    assert_eq!(hangs.ended().await, Outcome::Aborted);
    let error = manager.wait().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `hangs` was aborted at its deadline (its stop timeout of 1.00 s)"
    );
}

/// Invariant 2. The shutdown is advanced late, as where the CPU is scarce.
#[tokio::test(start_paused = true)]
async fn a_phase_that_the_ones_before_left_no_time_has_a_little_and_is_not_blamed() {
    for (kept, ends, had) in
        [(500, true, ""), (500, false, "only 12 ms were"), (0, false, "only 0.0 ms were")]
    {
        let builder = Manager::builder().shutdown_timeout(SECOND).cleanup_timeout(millis(kept));
        let manager = builder.build().unwrap();
        manager.cleanup("close", async || Ok(())).unwrap();
        let greedy = task_fn("greedy", async move |ctx: Context| {
            ctx.cancelled().await;
            tokio::time::advance(millis(1_020 - kept)).await;
            Ok(())
        });
        manager.run(greedy).unwrap();
        let signals =
            if ends { worker("signals").boxed() } else { unresponsive("signals").boxed() };
        let signals = manager.run(signals.in_phase(Phase::SUPPORT)).unwrap();
        let result = manager.shutdown().await;
        let report = match &result {
            Ok(report) => report,
            Err(error) => error.report().unwrap(),
        };
        let own = report.failures().iter().find(|failure| failure.name == "signals");
        let own = own.map(|own| own.to_string()).unwrap_or_default();
        if ends {
            assert_eq!((signals.outcome(), &*own), (Some(Outcome::Completed), ""), "{report}");
        } else {
            let why = format!("({had} left, since task `greedy` had taken ");
            assert!(own.starts_with("task `signals` was aborted without time to end ("), "{own}");
            assert!(own.contains(&why), "{own}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_never_ready_does_not_drain() {
    for (is_waited_for, is_setting_up, drain) in
        [(true, false, 5), (false, false, 0), (true, true, 0)]
    {
        let manager = Manager::builder().drain_delay(5 * SECOND).build().unwrap();
        manager.run(worker("server").in_phase(Phase::INGRESS)).unwrap();
        if is_setting_up {
            manager.run_ephemeral(worker("setup").in_phase(Phase::SETUP)).unwrap();
        }
        if is_waited_for {
            begin_wait(&manager);
        }
        let steps = manager.shutdown().await.unwrap().steps();
        assert_eq!(steps.stopping - steps.triggered, drain * SECOND);
    }
    let builder = Manager::builder().drain_delay(5 * SECOND).start_timeout(SECOND);
    let manager = builder.build().unwrap();
    let server = worker("server").in_phase(Phase::INGRESS).gating_readiness();
    manager.run(server).unwrap();
    let error = manager.wait().await.unwrap_err();
    assert_eq!(error.report().unwrap().steps().ended, SECOND, "no drain after a failed start");
}
