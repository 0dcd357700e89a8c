//! When the default action is back, and that it is not before.

use rustix::process::Signal;

use crate::child::Child;

/// Starts a scenario and takes it to where its report is made.
fn ended(scenario: &str) -> Child {
    let mut child = Child::start(scenario);
    child.go();
    child.wait_for("cleaning up");
    child.go();
    child.wait_for("ended");
    child
}

#[test]
fn the_ladder_is_climbed_on_while_cleanups_run_after_the_task_has_ended() {
    let mut child = Child::start("ending");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    child.go();
    child.wait_for("task: ok");
    child.wait_for("cleaning up");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
}

#[test]
fn after_the_report_each_signal_kills_as_it_does_by_default() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut child = ended("ending");
        child.kill(signal);
        child.ends_by(signal);
    }
}

#[test]
fn a_signal_that_stopped_the_group_kills_after_the_report() {
    let mut child = Child::start("ending");
    child.kill_and_see(Signal::TERM, "request_stop");
    child.go();
    child.wait_for("cleaning up");
    child.go();
    child.wait_for("ended");
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}

#[test]
fn a_signal_that_overtakes_the_end_of_the_report_kills() {
    // The first of its kind, one beyond its ladder, one after others beyond.
    for before in [0, 1, 4] {
        let mut child = Child::start("ending unnoticed");
        for count in 1..=before {
            child.kill_and_see(Signal::TERM, &format!("count={count}"));
            if count == 1 {
                child.wait_for("request_stop");
            }
        }
        child.go();
        child.wait_for("cleaning up");
        child.go();
        child.wait_for("ended");
        child.kill(Signal::TERM);
        child.ends_by(Signal::TERM);
    }
}

#[test]
fn signals_do_nothing_after_the_report_if_so_set() {
    let mut child = ended("ending with nothing after");
    child.kill(Signal::TERM);
    child.kill(Signal::INT);
    child.go();
    child.ends_with(0);
}

#[test]
fn a_real_time_signal_exits_after_the_report_with_128_and_its_number() {
    let mut child = ended("ending with a real-time signal");
    child.kill_by_number(libc::SIGRTMIN());
    child.ends_with(128 + libc::SIGRTMIN());
}

#[test]
fn signals_kill_when_the_task_was_dropped_without_having_run() {
    let mut child = Child::start("dropped");
    child.go();
    child.wait_for("dropped");
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}

#[test]
fn a_signal_that_came_before_the_task_was_dropped_is_not_lost() {
    let mut child = Child::start("dropped");
    child.kill_and_see(Signal::TERM, "received SIGTERM");
    child.go();
    child.ends_by(Signal::TERM);
}

#[test]
fn signals_kill_when_the_task_is_gone_and_there_is_no_group_to_make_a_report() {
    let mut child = Child::start("dropped without a group");
    child.go();
    child.wait_for("dropped");
    child.kill(Signal::INT);
    child.ends_by(Signal::INT);
}

#[test]
fn signals_can_be_captured_again_and_let_go_again() {
    let mut child = Child::start("two lives");
    child.kill_and_see(Signal::TERM, "request_stop");
    child.go();
    child.wait_for("ready");
    child.kill_and_see(Signal::TERM, "request_stop");
    child.go();
    child.wait_for("ended");
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}
