//! Groups inside groups.

use std::{
    future::pending,
    sync::{Mutex, PoisonError},
};

use anyhow::anyhow;
use shuttle::{future::block_on, thread};
use task_manager::{Context, Outcome, Report, task_fn};

use crate::{Traces, explore, hasty, patient, report, turns, worker};

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
