//! The whole manager under thousands of schedules of its threads and tasks: random ones, and those
//! of PCT, which finds bugs of few preemptions. Deadlines may pass at any moment
//! (`src/rt/modelled.rs`); the deadline thread is not modelled.
//!
//! `SHUTTLE_SCHEDULES` sets the number of each kind, 2,000 by default. A failure prints its
//! schedule, for `shuttle::replay`.
#![cfg(task_shuttle)]
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use shuttle::{
    Config, MaxSteps, Runner, future,
    scheduler::{PctScheduler, RandomScheduler},
};
use task_manager::{
    Context, Manager, Outcome, Refused, Report, ShutdownError, Task, TaskHandle, Timeout, task_fn,
};

mod ends;
mod nested;
mod races;

/// The number of preemptions that PCT looks for.
const DEPTH: usize = 3;

/// Runs `body` under many schedules. In one that does not end, a waiter was left asleep.
fn explore(body: fn()) {
    let schedules = std::env::var("SHUTTLE_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules = schedules.unwrap_or(2_000);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(body);
    Runner::new(PctScheduler::new(DEPTH, schedules), config).run(body);
}

/// A manager without a shutdown timeout: the tasks of the test end by themselves.
fn without_deadline() -> Manager {
    Manager::builder().shutdown_timeout(Timeout::Never).without_panic_hook().build().unwrap()
}

/// Less than the interval of the "still waiting" event, so that the first timer is the deadline.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// A manager whose deadlines may pass at any moment.
fn with_deadline() -> Manager {
    let builder =
        Manager::builder().shutdown_timeout(SHUTDOWN_TIMEOUT).cleanup_timeout(SHUTDOWN_TIMEOUT / 2);
    builder.without_panic_hook().build().unwrap()
}

/// Counts its polls and drops.
#[derive(Clone, Default)]
struct Counters(Arc<[AtomicUsize; 2]>);

impl Counters {
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

struct CountDrop(Counters);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.0[1].fetch_add(1, Ordering::SeqCst);
    }
}

/// Ends as soon as it is stopped.
fn worker(name: &'static str, counters: &Counters) -> impl Task {
    let guard = CountDrop(counters.clone());
    task_fn(name, async move |ctx: Context| {
        guard.0.polled();
        ctx.cancelled().await;
        drop(guard);
        Ok(())
    })
}

/// Yields to the other tasks a few times.
async fn yield_repeatedly() -> anyhow::Result<()> {
    for _ in 0..8 {
        future::yield_now().await;
    }
    Ok(())
}

/// Returns the report of a clean or failed shutdown.
fn report(result: Result<Report, ShutdownError>) -> Report {
    let is_ok = result.is_ok();
    let report = result.unwrap_or_else(|error| error.report().expect("a report").clone());
    assert_eq!(is_ok, report.is_clean(), "Invariant 2: {report}");
    report
}

/// Invariant 4: the task is fully part of the shutdown, or handed back.
fn check_admission<T>(
    admitted: &Result<TaskHandle, Refused<T>>,
    counters: &Counters,
    report: &Report,
) {
    match admitted {
        Ok(handle) => {
            let outcome = handle.outcome().expect("an outcome for each that was admitted");
            assert!(counters.drops() == 1 || outcome == Outcome::Abandoned, "alive: {report}");
            assert!(report.totals().of(outcome) >= 1, "{report}");
        }
        Err(refused) => {
            assert!(refused.is_too_late());
            assert_eq!(counters.polls(), 0, "refused, and still polled");
            assert_eq!(counters.drops(), 0, "refused, and not handed back");
        }
    }
}
