//! Ends that race deadlines: one outcome each, and the report has it too.

use std::future::pending;

use anyhow::anyhow;
use shuttle::{future::block_on, thread};
use task_manager::{CauseKind, Context, FailureOrigin, Outcome, Phase, Task, task_fn};

use crate::{CountDrop, TOTAL, Traces, explore, hasty, patient, report, turns, worker};

#[test]
fn an_abort_that_races_the_end_leaves_one_outcome_that_the_report_has_too() {
    explore(|| {
        let manager = hasty();
        let traces = [Traces::default(), Traces::default()];
        let tasks = [
            manager.run(worker("work", &traces[0])).unwrap(),
            manager.run(worker("probes", &traces[1]).in_phase(Phase::SUPPORT)).unwrap(),
        ];
        let report = report(block_on(manager.shutdown()));
        for (task, traces) in tasks.iter().zip(&traces) {
            let outcome = task.outcome().expect("ended");
            let listed = report.tasks().iter().find(|listed| listed.id == task.id()).unwrap();
            assert_eq!(listed.outcome, outcome, "{report}");
            let failures = report.failures().iter().filter(|failure| failure.name == task.name());
            assert_eq!(failures.count(), usize::from(!outcome.is_clean()), "{report}");
            assert!(traces.drops() == 1 || outcome == Outcome::Abandoned, "{report}");
        }
        let steps = report.steps();
        assert!(steps.ended - steps.triggered <= TOTAL, "{report}");
    });
}

#[test]
fn a_task_that_hears_nothing_is_aborted_or_given_up_and_the_wait_ends() {
    explore(|| {
        let manager = hasty();
        let traces = Traces::default();
        let guard = CountDrop(traces.clone());
        let deaf = task_fn("deaf", async move |_| {
            let _guard = guard;
            pending().await
        });
        let task = manager.run(deaf).unwrap();
        manager.cleanup("slow", turns).unwrap();
        let report = report(block_on(manager.shutdown()));
        let outcome = task.outcome().expect("ended");
        assert!(matches!(outcome, Outcome::Aborted | Outcome::Abandoned), "{report}");
        assert!(traces.drops() == 1 || outcome == Outcome::Abandoned, "{report}");
        let failures =
            report.failures().iter().filter(|failure| failure.origin == FailureOrigin::Task);
        assert_eq!(failures.count(), 1, "{report}");
    });
}

#[test]
fn a_task_that_hears_nothing_and_is_run_during_the_stop_is_not_left_behind() {
    explore(|| {
        let manager = hasty();
        let runner = thread::spawn({
            let handle = manager.handle();
            move || handle.run(task_fn("deaf", async |_| pending().await)).ok()
        });
        let report = report(block_on(manager.shutdown()));
        let task = runner.join().unwrap();
        assert_eq!(report.totals().started, u64::from(task.is_some()), "{report}");
        assert_eq!(report.failures().len(), usize::from(task.is_some()), "{report}");
    });
}

#[test]
fn a_hold_released_while_its_task_is_given_up_makes_one_outcome() {
    explore(|| {
        let manager = hasty();
        // Leaves time for an end that comes too late, and before the report.
        manager.cleanup("slow", turns).unwrap();
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

#[test]
fn a_cleanup_that_hangs_fails_or_ends_is_told_apart_and_the_next_one_runs() {
    explore(|| {
        let manager = hasty();
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
                // One that was given up may yet say what went wrong in it: that is told too.
                Some(Outcome::Abandoned) => assert!((1..=2).contains(&count), "{report}"),
                _ => assert_eq!(count, 1, "{report}"),
            }
        }
    });
}

#[test]
fn an_end_that_nobody_asked_for_is_told_as_such_whoever_lets_go_last() {
    explore(|| {
        let manager = patient();
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
