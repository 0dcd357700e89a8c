//! What a process inherits from the one that starts it: ignored and blocked signals.

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn a_signal_that_the_process_was_started_ignoring_stays_ignored() {
    let mut child = Child::start_ignoring("HUP", "hang-up and terminate");
    child.wait_for("SIGHUP stays ignored, as inherited");
    child.wait_for("status: waiting for SIGTERM");
    child.kill(Signal::HUP);
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    assert_eq!(child.count("signal SIGHUP"), 0);
}

#[test]
fn a_service_in_the_background_of_a_script_still_stops_at_a_termination() {
    let mut child = Child::start_ignoring("INT QUIT", "ladder");
    child.wait_for("status: waiting for SIGTERM");
    for _ in 0..3 {
        child.kill(Signal::INT);
    }
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    assert_eq!(child.count("signal SIGINT"), 0);
}

#[test]
fn a_signal_that_was_ignored_is_captured_if_so_set_and_ignored_again_afterwards() {
    let mut child = Child::start_ignoring("HUP", "hang-up in any case");
    child.kill_and_see(Signal::HUP, "request_stop: signal SIGHUP");
    child.go();
    child.wait_for("ended");
    child.kill(Signal::HUP);
    child.go();
    child.ends_with(0);
}

/// As on a platform that stops with `SIGINT` what a script has started in the background.
#[test]
fn a_required_signal_is_captured_though_it_was_ignored_and_no_other_is() {
    let mut child = Child::start_ignoring("INT QUIT", "interrupt required");
    child.wait_for("SIGQUIT stays ignored, as inherited");
    child.kill(Signal::QUIT);
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    assert_eq!(child.count("signal SIGQUIT"), 0);
}

#[test]
fn a_termination_that_stays_ignored_is_a_warning_that_says_what_to_do() {
    let mut child = Child::start_ignoring("HUP TERM", "hang-up and terminate");
    let line = child.wait_for("SIGTERM stays ignored");
    assert!(line.contains("WARN") && line.contains("IgnoredSignals::Capture"), "{line}");
    let line = child.wait_for("SIGHUP stays ignored");
    assert!(line.contains("INFO"), "{line}");
    child.wait_for("status: all signals are ignored");
}

#[test]
fn a_signal_that_the_process_was_started_blocking_is_delivered_and_warned_about() {
    let mut child = Child::start_blocking("TERM,HUP", "ladder");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    let line = child.wait_for("SIGTERM was blocked");
    assert!(line.contains("WARN"), "{line}");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    // It is not captured, so it is left blocked.
    child.kill(Signal::HUP);
    child.kill_and_see(Signal::INT, "escalate: Abort");
    assert_eq!(child.count("was blocked"), 1);
}

#[test]
fn a_signal_that_was_blocked_reaches_a_trigger_also_if_it_came_before() {
    let mut child = Child::start_blocking("HUP", "trigger early");
    child.kill(Signal::HUP);
    child.go();
    child.wait_for("ran: 1");
    child.wait_for("SIGHUP was blocked");
    child.kill_and_see(Signal::HUP, "ran: 2");
}
