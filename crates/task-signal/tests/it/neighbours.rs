//! Other users of the same signals: instances and libraries; and a suspended process.

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
fn a_process_that_was_suspended_goes_on_as_before() {
    let mut child = Child::start("ladder");
    child.kill(Signal::STOP);
    child.kill(Signal::TERM);
    child.kill_and_see(Signal::CONT, "request_stop: signal SIGTERM");
    child.kill(Signal::STOP);
    child.kill(Signal::CONT);
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
}
