//! The whole manager under thousands of schedules of its threads and tasks, by chance and by PCT, which finds bugs of
//! few preemptions. Deadlines may pass at any moment (`src/rt/modelled.rs`); the deadline thread is not here.
//!
//! `SHUTTLE_SCHEDULES` sets how many there are of each kind; 2,000 without it. A failure prints the schedule that led
//! to it, for `shuttle::replay`.
#![cfg(task_shuttle)]
#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use shuttle::{
    Config, MaxSteps, Runner,
    future::{self, block_on},
    scheduler::{PctScheduler, RandomScheduler},
    thread,
};
use task_manager::{
    CauseKind, Context, Handle, Manager, Origin, Outcome, Phase, Refused, Report, ShutdownError,
    Step, Task, TaskHandle, Timeout, task_fn,
};

/// How many preemptions PCT looks for.
const DEPTH: usize = 3;

/// Runs `body` under many schedules. One that does not end is one in which somebody was left asleep.
fn explore(body: fn()) {
    let schedules = std::env::var("SHUTTLE_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules = schedules.unwrap_or(2_000);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(body);
    Runner::new(PctScheduler::new(DEPTH, schedules), config).run(body);
}

/// A manager without a limit: whoever is waited for ends.
fn patient() -> Manager {
    Manager::builder().total(Timeout::Never).without_panic_hook().build().unwrap()
}

/// Less than the time between two reminders, so that the first timer is the deadline.
const TOTAL: Duration = Duration::from_secs(2);

fn hasty() -> Manager {
    let builder = Manager::builder().total(TOTAL).cleanup_budget(TOTAL / 2);
    builder.without_panic_hook().build().unwrap()
}

/// Counts its polls and drops.
#[derive(Clone, Default)]
struct Traces(Arc<[AtomicUsize; 2]>);

impl Traces {
    fn polled(&self) {
        self.0[0].fetch_add(1, Ordering::SeqCst);
    }

    fn polls(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    fn drops(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }
}

struct CountDrop(Traces);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

/// Ends as soon as it is stopped.
fn worker(name: &'static str, traces: &Traces) -> impl Task {
    let guard = CountDrop(traces.clone());
    task_fn(name, async move |ctx: Context| {
        guard.0.polled();
        ctx.cancelled().await;
        drop(guard);
        Ok(())
    })
}

/// Lets the others have their turn a few times.
async fn turns() -> anyhow::Result<()> {
    for _ in 0..8 {
        future::yield_now().await;
    }
    Ok(())
}

/// The report, whatever it says.
fn report(result: Result<Report, ShutdownError>) -> Report {
    let is_ok = result.is_ok();
    let report = result.unwrap_or_else(|error| error.report().expect("a report").clone());
    assert_eq!(is_ok, report.is_clean(), "invariant 2: {report}");
    report
}

/// Invariant 4: in full, or handed back.
fn check_admission<T>(admitted: &Result<TaskHandle, Refused<T>>, traces: &Traces, report: &Report) {
    match admitted {
        Ok(handle) => {
            let outcome = handle.outcome().expect("an outcome for each that was admitted");
            assert!(traces.drops() == 1 || outcome == Outcome::Abandoned, "alive: {report}");
            assert!(report.totals().of(outcome) >= 1, "{report}");
        }
        Err(refused) => {
            assert!(refused.is_too_late());
            assert_eq!(traces.polls(), 0, "refused, and run");
            assert_eq!(traces.drops(), 0, "refused, and not handed back");
        }
    }
}

#[test]
fn a_run_that_races_a_stop_and_a_wait_is_part_of_the_shutdown_or_handed_back() {
    explore(|| {
        let manager = patient();
        let traces = Traces::default();
        let runner = thread::spawn({
            let (handle, task) = (manager.handle(), worker("late", &traces));
            move || handle.run(task)
        });
        let stopper = thread::spawn({
            let handle = manager.handle();
            move || handle.stop()
        });
        let report = report(block_on(manager.wait()));
        let admitted = runner.join().unwrap();
        stopper.join().unwrap();
        check_admission(&admitted, &traces, &report);
        assert_eq!(report.totals().started, u64::from(admitted.is_ok()), "{report}");
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn two_failures_at_once_are_one_cause_and_two_failures() {
    explore(|| {
        let manager = patient();
        for name in ["one", "other"] {
            // Refused if the other one was so quick as to have ended everything.
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

#[test]
fn a_cleanup_that_races_the_end_is_run_once_or_handed_back() {
    explore(|| {
        let manager = patient();
        let runs = Arc::new(AtomicUsize::new(0));
        let register = |handle: Handle| {
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
        let traces = Traces::default();
        manager.run(worker("work", &traces)).unwrap();
        let report = report(block_on(manager.shutdown()));
        let registered: usize =
            registrars.map(|registrar| usize::from(registrar.join().unwrap())).iter().sum();
        assert_eq!(report.cleanups().len(), registered, "{report}");
        let run = report.cleanups().iter().filter(|cleanup| cleanup.outcome.is_some()).count();
        assert_eq!(runs.load(Ordering::SeqCst), run, "{report}");
        assert_eq!(traces.drops(), 1, "alive beside a cleanup");
    });
}

#[test]
fn a_dropped_manager_leaves_nobody_running_unseen() {
    explore(|| {
        let manager = patient();
        let handle = manager.handle();
        let traces = [Traces::default(), Traces::default()];
        let first = manager.run(worker("first", &traces[0])).unwrap();
        let runner = thread::spawn({
            let (handle, task) = (handle.clone(), worker("second", &traces[1]));
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
                check_admission(&second, &traces[1], &report);
            }
            Err(error) => assert!(error.is_gone(), "{error:?}"),
        }
        assert_eq!(traces[0].drops(), 1);
    });
}

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
        let failures = report.failures().iter().filter(|failure| failure.origin == Origin::Task);
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
        let failures = report.failures().iter().filter(|failure| failure.origin == Origin::Task);
        assert_eq!(failures.count(), usize::from(!outcome.is_clean()), "{report}");
        assert_eq!(block_on(task.ended()), outcome);
    });
}

#[test]
fn readiness_that_races_a_stop_is_answered_and_false_from_the_trigger_on() {
    explore(|| {
        let manager = Arc::new(patient());
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

#[test]
fn all_who_wait_get_the_same_report_and_one_who_gives_up_takes_it_from_nobody() {
    explore(|| {
        let manager = Arc::new(patient());
        manager.run_ephemeral(worker("work", &Traces::default())).unwrap();
        let waiters = [(); 2].map(|()| {
            let manager = Arc::clone(&manager);
            thread::spawn(move || report(block_on(manager.wait())))
        });
        let quitter = future::spawn({
            let handle = manager.handle();
            async move { handle.wait().await.is_ok() }
        });
        quitter.abort();
        manager.stop();
        let own = report(block_on(manager.wait()));
        for waiter in waiters {
            assert_eq!(format!("{:?}", waiter.join().unwrap()), format!("{own:?}"));
        }
    });
}

#[test]
fn a_group_whose_last_task_ends_while_somebody_begins_to_wait_completes() {
    explore(|| {
        let manager = patient();
        let traces = [Traces::default(), Traces::default()];
        manager.run(worker("probes", &traces[0]).in_phase(Phase::SUPPORT)).unwrap();
        manager.run_ephemeral(task_fn("job", async |_| Ok(()))).unwrap();
        let one = manager.run_ephemeral(worker("one", &traces[1])).unwrap();
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
                failure.origin == Origin::Cleanup && failure.name == cleanup.name
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

/// What tells waits of a new nesting belongs to the process, and shuttle knows one thread of the system at a time.
static NESTED: Mutex<()> = Mutex::new(());

fn count(report: &Report, name: &str) -> usize {
    report.failures().iter().filter(|failure| failure.name == name).count()
}

#[test]
fn a_nested_group_that_is_stopped_from_outside_and_fails_inside_says_so_once() {
    let _turn = NESTED.lock().unwrap_or_else(PoisonError::into_inner);
    explore(|| {
        let (outer, inner) = (patient(), patient());
        let traces = Traces::default();
        inner.run(worker("worker", &traces)).unwrap();
        let failing = async |_: Context| {
            turns().await?;
            Err(anyhow!("on purpose"))
        };
        let bad = inner.run(task_fn("bad", failing)).unwrap();
        let task = outer.run(inner.into_task()).unwrap();
        let stopper = thread::spawn({
            let handle = outer.handle();
            move || handle.stop()
        });
        let single = thread::spawn({
            let task = task.clone();
            move || task.stop()
        });
        let report = report(block_on(outer.wait()));
        assert_eq!(bad.outcome(), Some(Outcome::Failed));
        assert_eq!(task.outcome(), Some(Outcome::Failed), "{report}");
        assert_eq!(count(&report, "manager/bad"), 1, "{report}");
        assert_eq!(report.failures().len(), 1, "{report}");
        assert_eq!(traces.drops(), 1, "alive after the wait");
        stopper.join().unwrap();
        single.join().unwrap();
    });
}

#[test]
fn a_nested_group_that_hears_nothing_is_named_and_nobody_in_it_twice() {
    let _turn = NESTED.lock().unwrap_or_else(PoisonError::into_inner);
    explore(|| {
        let (outer, inner) = (hasty(), hasty());
        let deaf = inner.run(task_fn("deaf", async |_: Context| pending().await)).unwrap();
        let task = outer.run(inner.into_task()).unwrap();
        let stopper = thread::spawn({
            let handle = outer.handle();
            move || handle.stop()
        });
        let report = report(block_on(outer.wait()));
        let outcome = task.outcome().expect("an outcome");
        assert!(!outcome.is_clean(), "{report}");
        let (whole, part) = (count(&report, "manager"), count(&report, "manager/deaf"));
        assert!(whole <= 1 && part <= 1 && whole + part >= 1, "{report}");
        if outcome != Outcome::Abandoned {
            assert!(deaf.outcome().is_some(), "invariant 7: {report}");
        }
        stopper.join().unwrap();
    });
}
