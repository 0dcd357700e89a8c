//! Ends that race deadlines.

use std::future::pending;

use anyhow::anyhow;
use shuttle::{future::block_on, thread};
use task_manager::{CauseKind, Context, FailureOrigin, Outcome, Phase, Task, task_fn};

use crate::{
    CountDrop, Counters, SHUTDOWN_TIMEOUT, explore, report, with_deadline, without_deadline,
    worker, yield_repeatedly,
};

/// Invariants 1, 3 and 7.
#[test]
fn an_abort_that_races_an_end_leaves_one_outcome_and_the_report_agrees() {
    explore(|| {
        let manager = with_deadline();
        let counters = [Counters::default(), Counters::default()];
        let tasks = [
            manager.run(worker("work", &counters[0])).unwrap(),
            manager.run(worker("probes", &counters[1]).in_phase(Phase::SUPPORT)).unwrap(),
        ];
        let report = report(block_on(manager.shutdown()));
        for (task, counters) in tasks.iter().zip(&counters) {
            let outcome = task.outcome().expect("ended");
            let listed = report.tasks().iter().find(|listed| listed.id == task.id()).unwrap();
            assert_eq!(listed.outcome, outcome, "{report}");
            let failures = report.failures().iter().filter(|failure| failure.name == task.name());
            assert_eq!(failures.count(), usize::from(!outcome.is_clean()), "{report}");
            assert!(counters.drops() == 1 || outcome == Outcome::Abandoned, "{report}");
        }
        let steps = report.steps();
        assert!(steps.ended - steps.triggered <= SHUTDOWN_TIMEOUT, "{report}");
    });
}

/// Invariant 7. FAILURES 17.
#[test]
fn a_task_that_ignores_cancellation_is_aborted_or_abandoned_and_the_wait_ends() {
    explore(|| {
        let manager = with_deadline();
        let counters = Counters::default();
        let guard = CountDrop(counters.clone());
        let unresponsive = task_fn("unresponsive", async move |_| {
            let _guard = guard;
            pending().await
        });
        let task = manager.run(unresponsive).unwrap();
        manager.cleanup("slow", yield_repeatedly).unwrap();
        let report = report(block_on(manager.shutdown()));
        let outcome = task.outcome().expect("ended");
        assert!(matches!(outcome, Outcome::Aborted | Outcome::Abandoned), "{report}");
        assert!(counters.drops() == 1 || outcome == Outcome::Abandoned, "{report}");
        let failures =
            report.failures().iter().filter(|failure| failure.origin == FailureOrigin::Task);
        assert_eq!(failures.count(), 1, "{report}");
    });
}

/// Invariants 2 and 4. FAILURES 31.
#[test]
fn a_task_that_ignores_cancellation_and_is_run_during_the_stop_is_accounted_for() {
    explore(|| {
        let manager = with_deadline();
        let runner = thread::spawn({
            let handle = manager.handle();
            move || handle.run(task_fn("unresponsive", async |_| pending().await)).ok()
        });
        let report = report(block_on(manager.shutdown()));
        let task = runner.join().unwrap();
        assert_eq!(report.totals().started, u64::from(task.is_some()), "{report}");
        assert_eq!(report.failures().len(), usize::from(task.is_some()), "{report}");
    });
}

/// Invariant 1.
#[test]
fn a_hold_released_while_its_task_is_abandoned_gives_one_outcome() {
    explore(|| {
        let manager = with_deadline();
        // Leaves time for an end after the abandonment and before the report.
        manager.cleanup("slow", yield_repeatedly).unwrap();
        let task = manager
            .run(task_fn("holder", async |ctx: Context| {
                let hold = ctx.hold();
                thread::spawn(move || drop(hold));
                ctx.cancelled().await;
                Ok(())
            }))
            .unwrap();
        let report = report(block_on(manager.shutdown()));
        let outcome = task.outcome().expect("ended");
        let totals = report.totals();
        assert_eq!(totals.of(outcome), 1, "{report}");
        let ends = totals.completed + totals.aborted + totals.abandoned;
        assert_eq!((totals.started, ends), (1, 1), "{report}");
        let failures =
            report.failures().iter().filter(|failure| failure.origin == FailureOrigin::Task);
        assert_eq!(failures.count(), usize::from(!outcome.is_clean()), "{report}");
        assert_eq!(block_on(task.ended()), outcome);
    });
}

/// Invariants 1 and 7. Its limit races its end, its phase, and a task that takes its place.
#[test]
fn a_stop_timeout_that_races_whatever_else_ends_its_task_gives_one_outcome() {
    explore(|| {
        let manager = with_deadline();
        let counters = [Counters::default(), Counters::default()];
        let limited = worker("limited", &counters[0]).stopping_within(SHUTDOWN_TIMEOUT / 8);
        let limited = manager.run_ephemeral(limited).unwrap();
        let stopper = thread::spawn({
            let (handle, limited) = (manager.handle(), limited.clone());
            let next = worker("next", &counters[1]);
            move || {
                limited.stop();
                handle.run_ephemeral(next).ok()
            }
        });
        let report = report(block_on(manager.shutdown()));
        let next = stopper.join().unwrap();
        let tasks = [Some(limited), next];
        for (task, counters) in tasks.iter().zip(&counters) {
            let Some(task) = task else { continue };
            let outcome = task.outcome().expect("ended");
            let failures = report.failures().iter().filter(|failure| failure.name == task.name());
            assert_eq!(failures.count(), usize::from(!outcome.is_clean()), "{report}");
            assert!(counters.drops() == 1 || outcome == Outcome::Abandoned, "{report}");
        }
        let totals = report.totals();
        let ends = totals.completed + totals.aborted + totals.abandoned;
        assert_eq!(totals.started, ends, "{report}");
    });
}

/// Invariant 8. FAILURES 14 and 22.
#[test]
fn cleanups_of_a_set_each_have_an_outcome_and_the_next_one_waits_for_all() {
    explore(|| {
        let manager = with_deadline();
        manager.cleanup("next", async || Ok(())).unwrap();
        manager.cleanup("hanging", async || pending().await).unwrap();
        manager.cleanup_beside("slow", async |_| yield_repeatedly().await).unwrap();
        manager.cleanup_beside("good", async |_| Ok(())).unwrap();
        let report = report(block_on(manager.shutdown()));
        let cleanups = report.cleanups();
        assert_eq!((cleanups.len(), &*cleanups[3].name), (4, "next"), "{report}");
        let hanging = cleanups.iter().find(|cleanup| cleanup.name == "hanging").unwrap();
        // Not run, if the runtime does not get to it in time.
        let is_dropped = [Some(Outcome::Aborted), Some(Outcome::Abandoned), None];
        assert!(is_dropped.contains(&hanging.outcome), "{report}");
        for cleanup in cleanups {
            let is_clean = cleanup.outcome == Some(Outcome::Completed);
            let has_failed = report.failures().iter().any(|other| other.name == cleanup.name);
            assert_eq!(has_failed, !is_clean, "{report}");
        }
    });
}

/// Invariant 8. FAILURES 14 and 22.
#[test]
fn cleanups_that_hang_fail_or_end_have_their_own_outcomes_and_the_next_one_runs() {
    explore(|| {
        let manager = with_deadline();
        manager.cleanup("good", async || Ok(())).unwrap();
        manager.cleanup("bad", async || Err(anyhow!("no"))).unwrap();
        manager.cleanup("hanging", async || pending().await).unwrap();
        let report = report(block_on(manager.shutdown()));
        let names: Vec<&str> = report.cleanups().iter().map(|cleanup| &*cleanup.name).collect();
        assert_eq!(names, ["hanging", "bad", "good"], "{report}");
        for cleanup in report.cleanups() {
            let failures = report.failures().iter().filter(|failure| {
                failure.origin == FailureOrigin::Cleanup && failure.name == cleanup.name
            });
            let count = failures.count();
            match cleanup.outcome {
                Some(Outcome::Completed) => assert_eq!(count, 0, "{report}"),
                // An abandoned cleanup may still fail before the report, which then has both.
                Some(Outcome::Abandoned) => assert!((1..=2).contains(&count), "{report}"),
                _ => assert_eq!(count, 1, "{report}"),
            }
        }
    });
}

#[test]
fn an_unrequested_end_is_reported_as_such_in_any_order_of_hold_and_future() {
    explore(|| {
        let manager = without_deadline();
        let held = async |ctx: Context| {
            let hold = ctx.hold();
            thread::spawn(move || drop(hold));
            Ok(())
        };
        manager.run(task_fn("held", held)).unwrap();
        let report = report(block_on(manager.wait()));
        let CauseKind::TaskEnded { was_asked, .. } = report.cause().kind else {
            panic!("{report}")
        };
        assert!(!was_asked, "{report}");
    });
}
