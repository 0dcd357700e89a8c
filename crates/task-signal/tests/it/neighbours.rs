//! Other users of the same signals: instances, libraries, the process that started this one.

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn two_instances_both_get_each_signal_and_the_last_one_gives_it_back() {
    let mut child = Child::start("two instances");
    child.kill(Signal::TERM);
    let said = [child.wait_for(": SIGTERM"), child.wait_for(": SIGTERM")];
    assert!(said.iter().any(|line| line.starts_with("first")), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("second")), "{said:?}");
    child.go();
    child.wait_for("one has ended");
    child.kill_and_see(Signal::TERM, "second: SIGTERM");
    child.go();
    child.wait_for("one has ended");
    child.kill(Signal::TERM);
    child.ends_by(Signal::TERM);
}

#[test]
fn a_library_that_captured_a_signal_before_us_keeps_it_after_us() {
    let mut child = Child::start("tokio first");
    child.kill(Signal::TERM);
    child.wait_for("tokio: SIGTERM");
    child.wait_for("request_stop: signal SIGTERM");
    child.go();
    child.wait_for("ended");
    child.kill_and_see(Signal::TERM, "tokio: SIGTERM");
    // The others were ours alone.
    child.kill(Signal::INT);
    child.ends_by(Signal::INT);
}

#[test]
fn a_library_that_captures_a_signal_after_us_gets_it_too() {
    let mut child = Child::start("tokio later");
    child.kill(Signal::TERM);
    child.wait_for("tokio: SIGTERM");
    child.wait_for("request_stop: signal SIGTERM");
}

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

#[test]
fn a_process_that_was_suspended_goes_on_as_before() {
    let mut child = Child::start("ladder");
    child.kill(Signal::STOP);
    child.kill(Signal::TERM);
    child.kill_and_see(Signal::CONT, "request_stop: signal SIGTERM");
    child.kill(Signal::STOP);
    child.kill(Signal::CONT);
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
}
