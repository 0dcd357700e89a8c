//! Concurrent calls: run, stop, wait, drop, and the registration of cleanups.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::anyhow;
use shuttle::{
    future::{self, block_on},
    thread,
};
use task_manager::{
    CauseKind, Context, ManagerHandle, Outcome, Phase, Step, Task, start_after, task_fn,
};

use crate::{Counters, check_admission, explore, report, without_deadline, worker};

/// Invariants 4 and 7. FAILURES 31.
#[test]
fn a_run_that_races_a_stop_and_a_wait_is_part_of_the_shutdown_or_handed_back() {
    explore(|| {
        let manager = without_deadline();
        let counters = Counters::default();
        let runner = thread::spawn({
            let (handle, task) = (manager.handle(), worker("late", &counters));
            move || handle.run(task)
        });
        let stopper = thread::spawn({
            let handle = manager.handle();
            move || handle.stop()
        });
        let report = report(block_on(manager.wait()));
        let admitted = runner.join().unwrap();
        stopper.join().unwrap();
        check_admission(&admitted, &counters, &report);
        assert_eq!(report.totals().started, u64::from(admitted.is_ok()), "{report}");
        assert!(report.is_clean(), "{report}");
    });
}

/// Invariants 1 and 2. FAILURES 3.
#[test]
fn two_concurrent_failures_are_one_cause_and_two_failures() {
    explore(|| {
        let manager = without_deadline();
        for name in ["one", "other"] {
            // Refused if the other one has already stopped the group.
            let _ = manager.run(task_fn(name, async |_| Err(anyhow!("no"))));
        }
        let report = report(block_on(manager.wait()));
        let totals = report.totals();
        assert_eq!(totals.failed, totals.started);
        assert_eq!(report.failures().len() as u64, totals.started, "{report}");
        let CauseKind::TaskEnded { task, outcome, .. } = &report.cause().kind else {
            panic!("{report}");
        };
        assert_eq!(*outcome, Outcome::Failed);
        assert_eq!(report.failures()[0].name, *task, "the root is the cause: {report}");
    });
}

/// Invariant 8. FAILURES 35.
#[test]
fn a_cleanup_that_races_the_end_is_run_once_or_handed_back() {
    explore(|| {
        let manager = without_deadline();
        let runs = Arc::new(AtomicUsize::new(0));
        let register = |handle: ManagerHandle| {
            let runs = Arc::clone(&runs);
            thread::spawn(move || {
                let hook = async move || {
                    runs.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                handle.cleanup("late", hook).is_ok()
            })
        };
        let registrars = [register(manager.handle()), register(manager.handle())];
        let counters = Counters::default();
        manager.run(worker("work", &counters)).unwrap();
        let report = report(block_on(manager.shutdown()));
        let registered: usize =
            registrars.map(|registrar| usize::from(registrar.join().unwrap())).iter().sum();
        assert_eq!(report.cleanups().len(), registered, "{report}");
        let run = report.cleanups().iter().filter(|cleanup| cleanup.outcome.is_some()).count();
        assert_eq!(runs.load(Ordering::SeqCst), run, "{report}");
        assert_eq!(counters.drops(), 1, "alive beside a cleanup");
    });
}

/// Invariants 4 and 11. FAILURES 29.
#[test]
fn a_dropped_manager_stops_every_task_also_one_that_is_run_concurrently() {
    explore(|| {
        let manager = without_deadline();
        let handle = manager.handle();
        let counters = [Counters::default(), Counters::default()];
        let first = manager.run(worker("first", &counters[0])).unwrap();
        let runner = thread::spawn({
            let (handle, task) = (handle.clone(), worker("second", &counters[1]));
            move || handle.run(task)
        });
        let waiter = future::spawn(async move { handle.wait().await });
        drop(manager);
        assert_eq!(block_on(first.ended()), Outcome::Completed);
        let second = runner.join().unwrap();
        if let Ok(second) = &second {
            assert_eq!(block_on(second.ended()), Outcome::Completed);
        }
        match block_on(waiter).unwrap() {
            Ok(report) => {
                assert_eq!(report.cause().kind, CauseKind::Dropped);
                check_admission(&second, &counters[1], &report);
            }
            Err(error) => assert!(error.is_gone(), "{error:?}"),
        }
        assert_eq!(counters[0].drops(), 1);
    });
}

/// Invariant 12.
#[test]
fn ready_that_races_a_stop_returns_and_readiness_is_false_from_the_trigger_on() {
    explore(|| {
        let manager = Arc::new(without_deadline());
        let task = task_fn("gate", async |ctx: Context| {
            ctx.set_ready(true);
            ctx.cancelled().await;
            ctx.set_ready(true);
            Ok(())
        });
        manager.run(task.gating_readiness()).unwrap();
        let ready = thread::spawn({
            let manager = Arc::clone(&manager);
            move || {
                let answer = block_on(manager.ready());
                answer.err().map(|error| error.to_string())
            }
        });
        let stopper = thread::spawn({
            let manager = Arc::clone(&manager);
            move || {
                manager.stop();
                assert!(!manager.group().readiness().is_ready(), "ready after the trigger");
            }
        });
        assert!(report(block_on(manager.wait())).is_clean());
        ready.join().unwrap();
        stopper.join().unwrap();
        assert_eq!(manager.group().step(), Step::Ended);
    });
}

/// Invariant 5.
#[test]
fn every_wait_gets_the_same_report_and_an_aborted_wait_changes_nothing() {
    explore(|| {
        let manager = Arc::new(without_deadline());
        manager.run_ephemeral(worker("work", &Counters::default())).unwrap();
        let waiters = [(); 2].map(|()| {
            let manager = Arc::clone(&manager);
            thread::spawn(move || report(block_on(manager.wait())))
        });
        let aborted = future::spawn({
            let handle = manager.handle();
            async move { handle.wait().await.is_ok() }
        });
        aborted.abort();
        manager.stop();
        let own = report(block_on(manager.wait()));
        for waiter in waiters {
            assert_eq!(format!("{:?}", waiter.join().unwrap()), format!("{own:?}"));
        }
    });
}

#[test]
fn a_group_whose_last_task_ends_while_a_wait_begins_completes() {
    explore(|| {
        let manager = without_deadline();
        let counters = [Counters::default(), Counters::default()];
        manager.run(worker("probes", &counters[0]).in_phase(Phase::SUPPORT)).unwrap();
        manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
        let one = manager.run_ephemeral(worker("one", &counters[1])).unwrap();
        let stopper = thread::spawn(move || {
            one.stop();
            block_on(one.ended())
        });
        let report = report(block_on(manager.wait()));
        assert_eq!(report.cause().kind, CauseKind::Completed);
        assert_eq!(stopper.join().unwrap(), Outcome::Completed);
        assert_eq!(report.totals().completed, 3, "{report}");
    });
}

/// Invariant 2.
#[test]
fn a_failed_setup_that_races_a_stop_is_a_failure_and_a_trigger_or_neither() {
    explore(|| {
        let manager = Arc::new(without_deadline());
        let setup = thread::spawn({
            let manager = Arc::clone(&manager);
            move || manager.setup_failed(anyhow!("no"))
        });
        manager.stop();
        let report = report(block_on(manager.wait()));
        setup.join().unwrap();
        let is_cause = report.cause().kind == CauseKind::SetupFailed;
        let mut later = report.later_triggers().iter();
        let is_known = is_cause || later.any(|cause| cause.kind == CauseKind::SetupFailed);
        assert_eq!(report.failures().len(), usize::from(is_known), "{report}");
        assert_eq!(report.exit_code() == 3, is_cause, "{report}");
    });
}

/// Invariant 12. A schedule in which one that waits sleeps for ever does not end.
#[test]
fn those_that_wait_for_one_task_are_woken_when_it_becomes_ready() {
    explore(|| {
        let manager = without_deadline();
        let server = task_fn("server", async |ctx: Context| {
            ctx.set_ready(true);
            ctx.cancelled().await;
            Ok(())
        });
        let server = manager.run(server).unwrap();
        let counters = Counters::default();
        let after = manager.run(start_after([&server], worker("after", &counters))).unwrap();
        let waits = thread::spawn(move || block_on(server.ready()));
        waits.join().unwrap().unwrap();
        manager.stop();
        let report = report(block_on(manager.wait()));
        assert!(report.is_clean(), "{report}");
        let has_started = after.outcome() == Some(Outcome::Completed);
        assert_eq!(counters.polls(), usize::from(has_started), "{report}");
        assert_eq!(counters.drops(), 1);
    });
}
