//! Each chaotic task under the real manager.

use std::time::Duration;

use task_core::{Outcome, Task};
use task_manager::Report;
use task_testkit::{
    ReportAssertions as _, TestGroup,
    chaos::{self, When},
    paused,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Runs it beside nothing, and stops it after 10 s.
fn stopped(task: impl Task) -> Report {
    paused(TestGroup::new().task(task.named("it")).stop_at(secs(10)).run())
}

#[test]
fn those_that_do_not_end_are_stuck() {
    stopped(chaos::hang()).assert_stuck(&["it"]).assert_outcome("it", Outcome::Aborted);
    stopped(chaos::ignores_cancel()).assert_outcome("it", Outcome::Aborted);
    stopped(chaos::leaks_hold()).assert_outcome("it", Outcome::Abandoned);
    let (task, release) = chaos::hang_blocking();
    stopped(task).assert_outcome("it", Outcome::Abandoned);
    drop(release);
}

#[test]
fn those_that_panic_do_so_when_they_should() {
    for (when, cause) in [
        (When::Start, "task `it` panicked"),
        (When::Poll(3), "task `it` panicked"),
        (When::Cancel, "stop was called"),
        (When::Drop, "stop was called"),
    ] {
        let report = stopped(chaos::panics(when));
        report.assert_cause(cause).assert_failure("it", "chaos: ");
        report.assert_outcome("it", Outcome::Panicked);
    }
}

#[test]
fn those_that_are_slow_or_flood_end_cleanly() {
    stopped(chaos::slow_stop(secs(3))).assert_clean().assert_stopped_within("it", secs(3));
    stopped(chaos::slow_drop(Duration::from_millis(5))).assert_clean();
    stopped(chaos::floods_status(1000)).assert_clean();
}

#[test]
fn those_that_end_by_themselves_end_the_group() {
    let report = stopped(chaos::fails_after(secs(3)));
    report.assert_cause("task `it` failed").assert_failure("it", "chaos: failed");
    assert_eq!(report.steps().triggered, secs(3));
    let report = stopped(chaos::ends_after(secs(3)));
    report.assert_clean().assert_cause("task `it` completed");
}

#[test]
fn readiness_flaps_or_never_comes() {
    paused(async {
        let mut group =
            TestGroup::new().task(chaos::flaps_ready(secs(10))).task(chaos::never_ready()).start();
        let is_ready = |at: usize| {
            let group = group.group();
            move || group.snapshot().tasks[at].is_ready
        };
        let (flaps, never) = (is_ready(0), is_ready(1));
        for expected in [true, false, true, false] {
            tokio::time::sleep(secs(5)).await;
            assert_eq!((flaps(), never()), (expected, false));
            tokio::time::sleep(secs(5)).await;
        }
        group.stop();
        group.ended().await.assert_clean();
    });
}

#[test]
fn one_that_spins_holds_the_clock_and_ends_when_it_is_cancelled() {
    paused(async {
        let mut group = TestGroup::new().task(chaos::spins()).start();
        let start = tokio::time::Instant::now();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        group.stop();
        group.ended().await.assert_clean();
    });
}
