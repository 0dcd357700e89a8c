//! Nested groups that race a stop or a deadline.

use std::{
    future::pending,
    sync::{Mutex, PoisonError},
};

use anyhow::anyhow;
use shuttle::{future::block_on, thread};
use task_manager::{Context, Outcome, Report, task_fn};

use crate::{Counters, explore, report, with_deadline, without_deadline, worker, yield_repeatedly};

/// Serializes these tests: nesting has state of the process, and shuttle models one test at a time.
static NESTED: Mutex<()> = Mutex::new(());

fn count(report: &Report, name: &str) -> usize {
    report.failures().iter().filter(|failure| failure.name == name).count()
}

/// Invariants 2 and 7. FAILURES 38.
#[test]
fn a_nested_group_that_is_stopped_and_fails_reports_the_failure_once() {
    let _guard = NESTED.lock().unwrap_or_else(PoisonError::into_inner);
    explore(|| {
        let (outer, inner) = (without_deadline(), without_deadline());
        let counters = Counters::default();
        inner.run(worker("worker", &counters)).unwrap();
        let failing = async |_: Context| {
            yield_repeatedly().await?;
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
        assert_eq!(counters.drops(), 1, "alive after the wait");
        stopper.join().unwrap();
        single.join().unwrap();
    });
}

/// Invariants 2 and 7. FAILURES 39.
#[test]
fn a_nested_group_that_ignores_cancellation_is_named_and_no_task_of_it_twice() {
    let _guard = NESTED.lock().unwrap_or_else(PoisonError::into_inner);
    explore(|| {
        let (outer, inner) = (with_deadline(), with_deadline());
        let unresponsive =
            inner.run(task_fn("unresponsive", async |_: Context| pending().await)).unwrap();
        let task = outer.run(inner.into_task()).unwrap();
        let stopper = thread::spawn({
            let handle = outer.handle();
            move || handle.stop()
        });
        let report = report(block_on(outer.wait()));
        let outcome = task.outcome().expect("an outcome");
        assert!(!outcome.is_clean(), "{report}");
        let (whole, part) = (count(&report, "manager"), count(&report, "manager/unresponsive"));
        assert!(whole <= 1 && part <= 1 && whole + part >= 1, "{report}");
        if outcome != Outcome::Abandoned {
            assert!(unresponsive.outcome().is_some(), "Invariant 7: {report}");
        }
        stopper.join().unwrap();
    });
}
