//! What the second signal does, and the third.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::child::Child;

#[test]
fn the_second_interrupt_aborts_and_the_third_exits_with_130() {
    let mut child = Child::start("ladder");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.wait_for("escalate: Abort");
    child.kill_and_see(Signal::INT, "exit with code 130, without cleanup");
    child.ends_with(130);
}

#[test]
fn repeated_terminations_are_only_logged() {
    let mut child = Child::start("ladder");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    for count in 2..6 {
        let line = format!("count={count} reaction=\"log\"");
        child.kill_and_see(Signal::TERM, &line);
    }
    assert_eq!((child.count("request_stop"), child.count("escalate")), (1, 0));
}

#[test]
fn each_signal_climbs_a_ladder_of_its_own() {
    let mut child = Child::start("ladder");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::QUIT, "request_stop: signal SIGQUIT");
    assert_eq!(child.count("escalate"), 0);
    child.kill_and_see(Signal::INT, "escalate: Abort");
}

#[test]
fn repeats_within_the_window_count_as_one() {
    let mut child = Child::start("ladder with a long window");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    for _ in 0..10 {
        child.kill(Signal::INT);
    }
    // The inbox is read in order, so the answer to this one comes after them.
    child.kill_and_see(Signal::USR1, "received SIGUSR1");
    assert_eq!((child.count("request_stop"), child.count("escalate")), (1, 0));
}

#[test]
fn a_key_that_is_held_down_still_climbs_and_not_before_two_windows() {
    let mut child = Child::start("ladder with the default window");
    let began = Instant::now();
    while child.try_kill(Signal::INT).is_ok() && !child.is_over() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not climb");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.ends_with(130);
    assert!(began.elapsed() >= Duration::from_millis(500));
    assert_eq!(child.count("escalate: Abort"), 1);
}

#[test]
fn every_step_is_configurable() {
    let mut child = Child::start("ladder of its own");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    child.wait_for("escalate: EndDrain");
    child.kill_and_see(Signal::TERM, "escalate: Abort");
    child.kill(Signal::TERM);
    child.ends_with(143);
}

#[test]
fn a_signal_without_steps_is_only_logged() {
    let mut child = Child::start("ladder without steps");
    child.kill_and_see(Signal::TERM, "received SIGTERM");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    assert_eq!(child.count("request_stop"), 1);
}

#[test]
fn real_time_signals_climb_like_others() {
    let mut child = Child::start("ladder of a real-time signal");
    let number = libc::SIGRTMIN() + 1;
    child.kill_by_number(number);
    child.wait_for("request_stop: signal SIGRTMIN+1");
    child.kill_by_number(number);
    child.ends_with(128 + number);
}

#[test]
fn an_escalation_is_a_warning_at_least_and_the_rest_is_as_loud_as_set() {
    let mut child = Child::start("ladder");
    child.kill_and_see(Signal::INT, "INFO task_signal: received SIGINT");
    child.kill_and_see(Signal::INT, "WARN task_signal: received SIGINT");
    let mut child = Child::start("alarmed");
    child.kill_and_see(Signal::INT, "ERROR task_signal: received SIGINT");
    child.kill_and_see(Signal::INT, "ERROR task_signal: received SIGINT");
}

#[test]
fn nothing_is_logged_if_so_set() {
    let mut child = Child::start("quiet");
    child.kill_and_see(Signal::TERM, "request_stop: signal SIGTERM");
    child.kill_and_see(Signal::INT, "request_stop: signal SIGINT");
    child.kill_and_see(Signal::INT, "escalate: Abort");
    child.kill(Signal::INT);
    child.ends_with(130);
    assert_eq!(child.count("task_signal:"), 0);
}
