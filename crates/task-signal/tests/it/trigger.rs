//! Which signal leads to which run of a trigger, and what becomes of failures.

use std::fs;

use rustix::process::Signal;

use crate::{child::Child, scenario::configuration_of};

#[test]
fn each_signal_leads_to_a_run() {
    let mut child = Child::start("trigger");
    child.wait_for("status: waiting for SIGHUP");
    for run in 1..5 {
        child.kill_and_see(Signal::HUP, &format!("ran: {run}"));
        child.wait_for(&format!("status: runs: {run}, last: ok"));
    }
}

#[test]
fn a_signal_that_comes_before_the_task_runs_leads_to_a_run_when_it_does() {
    let mut child = Child::start("trigger early");
    child.kill(Signal::HUP);
    child.go();
    child.wait_for("ran: 1");
    child.kill_and_see(Signal::HUP, "ran: 2");
}

#[test]
fn signals_that_come_before_the_task_runs_share_one_run() {
    let mut child = Child::start("trigger early");
    for _ in 0..100 {
        child.kill(Signal::HUP);
    }
    child.go();
    child.wait_for("status: runs: 1, last: ok");
    child.kill_and_see(Signal::HUP, "status: runs: 2, last: ok");
}

#[test]
fn different_signals_that_share_a_run_are_each_recorded_and_logged() {
    let mut child = Child::start("trigger of two early");
    for signal in [Signal::HUP, Signal::USR2, Signal::HUP] {
        child.kill(signal);
    }
    child.go();
    child.wait_for("status: runs: 1, last: ok");
    for name in ["SIGHUP", "SIGUSR2"] {
        child.wait_for(&format!("received {name}: run 1"));
        child.wait_for(&format!("recorded {name}: 1"));
    }
    child.kill_and_see(Signal::USR2, "received SIGUSR2: run 2");
    child.wait_for("recorded SIGUSR2: 2");
}

#[test]
fn however_many_signals_come_during_a_run_exactly_one_more_follows() {
    let mut child = Child::start("trigger with slow action");
    child.kill_and_see(Signal::HUP, "begins: 1");
    for _ in 0..100 {
        child.kill(Signal::HUP);
    }
    child.go();
    child.wait_for("status: runs: 1, last: ok");
    child.wait_for("begins: 2");
    child.go();
    child.wait_for("status: runs: 2, last: ok");
    // A third run would come before this one, and make it the fourth.
    child.kill_and_see(Signal::HUP, "begins: 3");
    child.go();
    child.wait_for("status: runs: 3, last: ok");
    assert_eq!(child.count("begins"), 3);
}

#[test]
fn a_run_starts_after_the_last_signal_of_a_burst() {
    let configuration = configuration_of(std::process::id());
    fs::write(&configuration, "0").unwrap();
    let mut child = Child::start("trigger that reads");
    for version in 1..=1_000 {
        fs::write(&configuration, version.to_string()).unwrap();
        child.kill(Signal::HUP);
    }
    child.wait_for("read: 1000");
    drop(child);
    fs::remove_file(&configuration).unwrap();
}

#[test]
fn actions_run_in_order_and_a_failure_keeps_neither_the_others_nor_the_next_signal_from_running() {
    let mut child = Child::start("trigger with failing actions");
    for run in 1..3 {
        child.kill_and_see(Signal::HUP, &format!("status: run {run}: `first`"));
        child.wait_for("failure: action `first` failed: no disk");
        child.wait_for(&format!("status: run {run}: `second`"));
        child.wait_for("failure: action `second` failed: it panicked: no memory");
        child.wait_for(&format!("status: run {run}: `third`"));
        child.wait_for("third ran");
        child.wait_for("last: action `first` failed: no disk");
        child.wait_for("action=\"first\" run=");
    }
}

#[test]
fn a_failure_is_only_logged_and_in_the_status_by_default() {
    let mut child = Child::start("trigger that goes on");
    child.kill_and_see(Signal::HUP, "last: action `first` failed: no disk");
    child.wait_for("action `second` failed");
    assert_eq!((child.count("failure: "), child.count("third ran")), (0, 1));
}

#[test]
fn a_failure_ends_the_task_if_so_set() {
    let mut child = Child::start("trigger that fails");
    child.kill_and_see(Signal::HUP, "task: action `first` failed: no disk");
    assert_eq!(child.count("third ran"), 0);
}

#[test]
fn signals_during_the_shutdown_neither_run_an_action_nor_kill() {
    let mut child = Child::start("trigger that shuts down");
    child.kill_and_see(Signal::HUP, "ran: 1");
    child.go();
    child.wait_for("draining");
    child.kill_and_see(Signal::HUP, "ignored SIGHUP while shutting down");
    child.go();
    child.wait_for("cleaning up");
    child.kill(Signal::HUP);
    child.go();
    child.wait_for("ended");
    assert_eq!(child.count("ran: "), 1);
    child.kill(Signal::HUP);
    child.ends_by(Signal::HUP);
}

#[test]
fn a_trigger_stops_though_signals_come_faster_than_it_logs_them() {
    let mut child = Child::start("trigger that is stopped in a storm");
    for _ in 0..3 {
        child.kill_and_see(Signal::HUP, "ignored SIGHUP while shutting down");
    }
    child.go();
    child.wait_for("task: ok");
    child.ends_with(0);
}

#[test]
fn a_trigger_can_be_aborted_though_signals_come_faster_than_it_logs_them() {
    let mut child = Child::start("trigger that is aborted in a storm");
    child.go();
    child.wait_for("ignored SIGHUP while shutting down");
    child.wait_for("aborted: true");
    child.ends_with(0);
}

#[test]
fn a_signal_kills_when_the_trigger_was_dropped_without_having_run() {
    let mut child = Child::start("trigger dropped");
    child.kill(Signal::HUP);
    child.ends_by(Signal::HUP);
}

#[test]
fn a_signal_that_came_to_a_trigger_that_is_dropped_without_having_run_acts_by_default() {
    let mut child = Child::start("trigger dropped after a signal");
    child.kill(Signal::HUP);
    child.go();
    child.ends_by(Signal::HUP);
}

#[test]
fn a_signal_that_another_trigger_has_captured_as_well_is_left_to_that_one() {
    let mut child = Child::start("trigger dropped after a signal");
    child.kill(Signal::USR1);
    child.go();
    child.wait_for("dropped");
    child.wait_for("ran: 1");
}

#[test]
fn an_action_that_ends_because_it_is_cancelled_is_no_failure() {
    let mut child = Child::start("trigger that is cancelled in its action");
    child.kill_and_see(Signal::HUP, "begins");
    child.go();
    child.wait_for("task: cancelled");
    child.ends_with(0);
    assert_eq!(child.count("failure"), 0);
}
