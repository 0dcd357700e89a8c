//! The whole manager under thousands of schedules of its threads and tasks, by chance and by PCT, which finds bugs of
//! few preemptions. Deadlines may pass at any moment (`src/rt/modelled.rs`); the deadline thread is not here.
//!
//! `SHUTTLE_SCHEDULES` sets how many there are of each kind; 2,000 without it. A failure prints the schedule that led
//! to it, for `shuttle::replay`.
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
    Manager::builder().shutdown_timeout(Timeout::Never).without_panic_hook().build().unwrap()
}

/// Less than the time between two reminders, so that the first timer is the deadline.
const TOTAL: Duration = Duration::from_secs(2);

fn hasty() -> Manager {
    let builder = Manager::builder().shutdown_timeout(TOTAL).cleanup_timeout(TOTAL / 2);
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
