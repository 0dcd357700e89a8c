//! Signals act from the instant of admission, though the task is never polled.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{child::Child, undisturbed::in_real_time};

/// The budget of the scenarios, and a second and a half for a machine that does other work.
const LIMIT: Duration = Duration::from_millis(1_500 + 1_500);

/// FAILURES 19.
#[test]
fn a_task_that_is_admitted_behind_blocked_workers_stops_its_group() {
    in_real_time(|| {
        let mut child = Child::start("managed behind blocked workers");
        child.go();
        child.wait_for("admitted");
        let began = Instant::now();
        child.kill(Signal::TERM);
        let report = child.wait_for("code 1 after");
        assert!(report.contains("signal SIGTERM"), "{report}");
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
        child.wait_for("in the report: task `unpolled`");
        child.ends_with(0);
    });
}

#[test]
fn a_signal_from_before_stops_a_group_that_is_admitted_behind_blocked_workers() {
    in_real_time(|| {
        let mut child = Child::start("managed behind blocked workers");
        child.kill_and_see(Signal::TERM, "received SIGTERM");
        child.go();
        let report = child.wait_for("code 1 after");
        assert!(report.contains("signal SIGTERM"), "{report}");
        child.ends_with(0);
    });
}

#[test]
fn interrupts_escalate_and_exit_behind_blocked_workers() {
    in_real_time(|| {
        let mut child = Child::start("managed behind blocked workers");
        child.go();
        child.wait_for("admitted");
        child.kill_and_see(Signal::INT, "count=1");
        child.kill_and_see(Signal::INT, "count=2");
        child.kill(Signal::INT);
        child.ends_with(130);
    });
}

/// FAILURES 18.
#[test]
fn a_signal_leads_to_the_hard_exit_of_a_thread_that_is_blocked_since_the_admission() {
    in_real_time(|| {
        let mut child = Child::start("managed on a blocked thread");
        let began = Instant::now();
        child.kill(Signal::TERM);
        child.ends_with(4);
        assert!(began.elapsed() < LIMIT + Duration::from_secs(1), "{:?}", began.elapsed());
    });
}
